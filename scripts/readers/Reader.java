import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.Signature;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.HexFormat;

/** Prints the SHA-1 of the certificate in FILE if the key signs what it verifies: java Reader.java [PROVIDER CLASS]. */
class Reader {
    public static void main(String[] args) throws Exception {
        KeyStore store;
        if (args.length > 0) {
            Provider provider = (Provider) Class.forName(args[0]).getDeclaredConstructor().newInstance();
            Security.insertProviderAt(provider, 1);
            store = KeyStore.getInstance("PKCS12", provider);
        } else {
            store = KeyStore.getInstance("PKCS12");
        }
        char[] password = System.getenv("PASSWORD").toCharArray();
        try (FileInputStream file = new FileInputStream(System.getenv("FILE"))) {
            store.load(file, password);
        }
        for (String alias : Collections.list(store.aliases())) {
            if (!store.isKeyEntry(alias)) continue;
            PrivateKey key = (PrivateKey) store.getKey(alias, password);
            Certificate certificate = store.getCertificate(alias);
            String algorithm = key.getAlgorithm().startsWith("EC") ? "SHA256withECDSA" : "SHA256withRSA";
            Signature signer = Signature.getInstance(algorithm);
            signer.initSign(key);
            signer.update(new byte[32]);
            Signature verifier = Signature.getInstance(algorithm);
            verifier.initVerify(certificate.getPublicKey());
            verifier.update(new byte[32]);
            if (!verifier.verify(signer.sign())) throw new Exception("the key does not fit");
            byte[] sha1 = MessageDigest.getInstance("SHA-1").digest(certificate.getEncoded());
            System.out.println(HexFormat.of().formatHex(sha1) + " " + store.getCertificateChain(alias).length);
        }
    }
}
