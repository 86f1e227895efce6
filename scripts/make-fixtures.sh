#!/usr/bin/env bash
# Makes the .pfx files that the tests open, with the tools that people use: OpenSSL 3, keytool, certtool, pk12util and
# node-forge. Every key in them is made here, is used for nothing else, and may be known to anyone.
# The thumbprints in manifest.json come from the tool that made the file, never from the code under test.
set -euo pipefail
cd "$(dirname "$0")/.."
out=__tests__/fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out/algorithms" "$out/pem"
days=27000
password='Passw0rd!'
entries="$work/entries"

thumbprint() { openssl x509 -noout -fingerprint -sha1 | sed 's/.*=//; s/://g'; }
# file, maker, password, thumbprint or - , failure code or -
record() { printf '%s\t%s\t%s\t%s\t%s\n' "$@" >> "$entries"; }

certificate() { # name, subject, extensions; key in $work/NAME.key
  openssl req -new -x509 -key "$work/$1.key" -subj "$2" -days $days -sha256 -addext keyUsage=digitalSignature -out "$work/$1.crt" 2>/dev/null
}
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa.key"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/ec.key"
openssl genpkey -quiet -algorithm ED25519 -out "$work/ed25519.key"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/ca.key"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$work/small.key"
openssl req -new -x509 -key "$work/ca.key" -subj '/O=Example/CN=Throw-away CA' -days $days -out "$work/ca.crt" 2>/dev/null
certificate ec '/CN=ec.example'
certificate ed25519 '/CN=ed25519.example'
openssl req -new -x509 -key "$work/small.key" -subj '/CN=small.example' -days $days -sha1 -addext keyUsage=keyEncipherment -out "$work/small.crt" 2>/dev/null
openssl req -new -key "$work/rsa.key" -subj '/O=Example/CN=connector.example' -out "$work/rsa.csr" 2>/dev/null
openssl x509 -req -in "$work/rsa.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -days $days -set_serial 4096 -out "$work/rsa.crt" 2>/dev/null

rsa=$(thumbprint < "$work/rsa.crt")
openssl_pfx() { # file, key name, password, failure, then options
  local file=$1 name=$2 pw=$3 failure=$4
  shift 4
  openssl pkcs12 -export -inkey "$work/$name.key" -in "$work/$name.crt" -name "$name" -passout "pass:$pw" -out "$out/$file" "$@"
  record "$file" openssl "$pw" "$(thumbprint < "$work/$name.crt")" "$failure"
}
tdes=(-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1)
openssl_pfx openssl-default.pfx rsa "$password" -
openssl_pfx openssl-chain.pfx rsa "$password" - -certfile "$work/ca.crt"
openssl_pfx openssl-3des.pfx rsa "$password" - "${tdes[@]}"
openssl_pfx openssl-3des-chain.pfx rsa "$password" - "${tdes[@]}" -certfile "$work/ca.crt"
# Without a friendly name: the model of what is sent.
openssl pkcs12 -export -inkey "$work/rsa.key" -in "$work/rsa.crt" -certfile "$work/ca.crt" -passout "pass:$password" -out "$out/openssl-3des-plain.pfx" "${tdes[@]}"
record openssl-3des-plain.pfx openssl "$password" "$rsa" -
openssl_pfx openssl-3des-sha256-mac.pfx rsa "$password" - -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha256
openssl_pfx openssl-3des-no-mac.pfx rsa "$password" - "${tdes[@]}" -nomac
openssl_pfx openssl-legacy.pfx rsa "$password" - -legacy
openssl_pfx openssl-rc4.pfx rsa "$password" - -legacy -keypbe PBE-SHA1-RC4-128 -certpbe PBE-SHA1-RC4-40
openssl_pfx openssl-rc2-128.pfx rsa "$password" - -legacy -keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC2-128
openssl_pfx openssl-cast5.pfx rsa "$password" PFX_UNSUPPORTED -legacy -keypbe CAST5-CBC -certpbe CAST5-CBC
openssl_pfx openssl-ec.pfx ec "$password" -
openssl_pfx openssl-ed25519.pfx ed25519 "$password" -
openssl_pfx openssl-small.pfx small "$password" -
openssl_pfx openssl-empty-password.pfx rsa '' -
openssl_pfx openssl-umlaut.pfx rsa 'pässwörd' -
openssl_pfx openssl-blank.pfx rsa ' two blanks ' -
openssl_pfx openssl-no-mac.pfx rsa "$password" - -nomac

openssl pkcs12 -export -nokeys -in "$work/rsa.crt" -passout "pass:$password" -out "$out/openssl-no-key.pfx"
record openssl-no-key.pfx openssl "$password" - PFX_NO_PRIVATE_KEY
openssl pkcs12 -export -nocerts -inkey "$work/rsa.key" -passout "pass:$password" -out "$out/openssl-no-certificate.pfx"
record openssl-no-certificate.pfx openssl "$password" - PFX_NO_CERTIFICATE
cp "$work/rsa.crt" "$out/certificate.pem"

if command -v keytool > /dev/null; then
  keytool -importkeystore -srckeystore "$out/openssl-chain.pfx" -srcstorepass "$password" -destkeystore "$out/java-default.pfx" -deststoretype PKCS12 -deststorepass "$password" -noprompt 2> /dev/null
  java_thumbprint() { keytool -exportcert -rfc -keystore "$1" -storepass "$password" -alias rsa 2> /dev/null | thumbprint; }
  record java-default.pfx keytool "$password" "$(java_thumbprint "$out/java-default.pfx")" -
  for i in 1 2; do
    keytool -genkeypair -keyalg EC -groupname secp256r1 -alias "key$i" -dname "CN=key$i.example" -validity $days -keystore "$out/java-several-keys.pfx" -storetype PKCS12 -storepass "$password" 2> /dev/null
  done
  record java-several-keys.pfx keytool "$password" - PFX_SEVERAL_KEYS
fi
if command -v certtool > /dev/null; then
  for cipher in aes-256 3des-pkcs12; do
    certtool --to-p12 --load-privkey "$work/rsa.key" --load-certificate "$work/rsa.crt" --p12-name rsa --password "$password" --pkcs-cipher $cipher --outder --outfile "$out/gnutls-$cipher.pfx" 2> /dev/null
    record "gnutls-$cipher.pfx" certtool "$password" "$(certtool --fingerprint --infile "$work/rsa.crt" | tr -d : | tr a-f A-F)" -
  done
fi
if command -v pk12util > /dev/null; then
  mkdir "$work/nss"
  certutil -N -d "sql:$work/nss" --empty-password 2> /dev/null || true
  pk12util -i "$out/openssl-default.pfx" -W "$password" -d "sql:$work/nss" -K '' > /dev/null
  pk12util -o "$out/nss-default.pfx" -n rsa -W "$password" -d "sql:$work/nss" -K '' > /dev/null
  record nss-default.pfx pk12util "$password" "$rsa" -
fi
node - "$work" "$out" "$password" "$entries" <<'JS'
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs');
const forge = require('node-forge');
const [work, out, password, entries] = process.argv.slice(2);
const certificate = forge.pki.certificateFromPem(readFileSync(`${work}/rsa.crt`, 'utf8'));
const key = forge.pki.privateKeyFromPem(readFileSync(`${work}/rsa.key`, 'utf8'));
const digest = forge.md.sha1.create().update(forge.asn1.toDer(forge.pki.certificateToAsn1(certificate)).getBytes()).digest();
for (const algorithm of ['3des', 'aes256']) {
  const pfx = forge.pkcs12.toPkcs12Asn1(key, [certificate], password, { algorithm });
  writeFileSync(`${out}/forge-${algorithm}.pfx`, forge.asn1.toDer(pfx).getBytes(), 'latin1');
  appendFileSync(entries, [`forge-${algorithm}.pfx`, 'node-forge', password, digest.toHex().toUpperCase(), '-'].join('\t') + '\n');
}
JS
node - "$entries" "$out/manifest.json" <<'JS'
const { readFileSync, writeFileSync } = require('node:fs');
const [entries, manifest] = process.argv.slice(2);
const rows = readFileSync(entries, 'utf8').trimEnd().split('\n').map((line) => {
  const [file, maker, password, thumbprint, failure] = line.split('\t');
  return { file, maker, password, ...(failure === '-' ? { thumbprint } : { failure }) };
});
writeFileSync(manifest, JSON.stringify(rows, null, 2) + '\n');
JS

# One file of OpenSSL for each cipher and each hash: algorithms/, with an EC key, since they are many.
algorithms="$work/algorithms"
ec=$(thumbprint < "$work/ec.crt")
algorithm_pfx() { # file name, failure or -, options
  local name=$1 failure=$2
  shift 2
  openssl pkcs12 -export -inkey "$work/ec.key" -in "$work/ec.crt" -passout "pass:$password" -out "$out/algorithms/$name.pfx" "$@"
  printf '%s\topenssl\t%s\t%s\t%s\n' "$name.pfx" "$password" "$ec" "$failure" >> "$algorithms"
}
for bits in 128 192 256; do
  for mode in ecb ofb cfb cfb8 cfb1; do algorithm_pfx "aes-$bits-$mode" - -keypbe "aes-$bits-$mode" -certpbe "aes-$bits-$mode"; done
  for cipher in camellia aria; do
    for mode in cbc ecb ofb cfb ctr; do
      algorithm_pfx "$cipher-$bits-$mode" - -keypbe "$cipher-$bits-$mode" -certpbe "$cipher-$bits-$mode"
    done
  done
done
for mode in cbc ecb ofb cfb ctr; do algorithm_pfx "sm4-$mode" - -keypbe "sm4-$mode" -certpbe "sm4-$mode"; done
for hash in md5 sha1 sha224 sha256 sha384 sha512 sha512-224 sha512-256 sha3-224 sha3-256 sha3-384 sha3-512 sm3 ripemd160; do
  algorithm_pfx "mac-$hash" - -macalg "$hash"
done
for cipher in bf-cbc cast5-cbc seed-cbc des-cfb rc4; do
  algorithm_pfx "refused-$cipher" PFX_UNSUPPORTED -legacy -keypbe "$cipher" -certpbe "$cipher"
done
for hash in md4 whirlpool; do algorithm_pfx "refused-mac-$hash" PFX_UNSUPPORTED -provider legacy -provider default -macalg "$hash"; done

# PEM: pem/, with the key in each form that tools write.
pems="$work/pems"
pem() { # file, key's name, password, failure or -; the key on standard input, then its certificate
  cat - "$work/$2.crt" > "$out/pem/$1.pem"
  printf '%s\topenssl\t%s\t%s\t%s\n' "$1.pem" "$3" "$(thumbprint < "$work/$2.crt")" "$4" >> "$pems"
}
openssl pkey -in "$work/rsa.key" | pem pkcs8 rsa '' -
openssl rsa -in "$work/rsa.key" -traditional 2> /dev/null | pem pkcs1 rsa '' -
openssl ec -in "$work/ec.key" 2> /dev/null | pem sec1 ec '' -
{ openssl ecparam -name prime256v1; openssl ec -in "$work/ec.key" 2> /dev/null; } | pem sec1-parameters ec '' -
openssl genpkey -quiet -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -out "$work/dsa.par"
openssl genpkey -quiet -paramfile "$work/dsa.par" -out "$work/dsa.key"
certificate dsa '/CN=dsa.example'
openssl dsa -in "$work/dsa.key" -provider default 2> /dev/null | pem dsa-traditional dsa '' -
for cipher in aes-128-cbc aes-256-cbc des-ede3-cbc; do
  openssl pkcs8 -topk8 -in "$work/ec.key" -v2 $cipher -passout "pass:$password" | pem "pbes2-$cipher" ec "$password" -
done
for prf in hmacWithMD5 hmacWithSHA1 hmacWithSHA224 hmacWithSHA384 hmacWithSHA512 hmacWithSHA512-224 hmacWithSHA512-256; do
  openssl pkcs8 -topk8 -in "$work/ec.key" -v2 aes-256-cbc -v2prf $prf -passout "pass:$password" | pem "prf-$prf" ec "$password" -
done
openssl pkcs8 -topk8 -in "$work/ec.key" -scrypt -passout "pass:$password" | pem scrypt ec "$password" -
openssl pkcs8 -topk8 -in "$work/ec.key" -v1 PBE-SHA1-3DES -passout "pass:$password" | pem pkcs12-3des ec "$password" -
openssl pkcs8 -topk8 -in "$work/ec.key" -v1 PBE-MD5-DES -provider legacy -provider default -passout "pass:$password" | pem pbes1-md5-des ec "$password" -
for cipher in aes128 aes192 aes256 des3 camellia256 aria256; do
  openssl rsa -in "$work/rsa.key" -traditional -$cipher -passout "pass:$password" 2> /dev/null | pem "dek-info-$cipher" rsa "$password" -
done
openssl ec -in "$work/ec.key" -aes256 -passout "pass:$password" 2> /dev/null | pem dek-info-ec ec "$password" -
for cipher in des rc2 des-cfb rc2-40-cbc; do
  openssl rsa -in "$work/rsa.key" -traditional -$cipher -provider legacy -provider default -passout "pass:$password" 2> /dev/null | pem "dek-info-$cipher" rsa "$password" -
done
openssl pkcs12 -in "$out/openssl-chain.pfx" -nodes -passin "pass:$password" > "$out/pem/bag-attributes.pem"
printf '%s\topenssl\t\t%s\t-\n' bag-attributes.pem "$rsa" >> "$pems"
ssh-keygen -q -t ed25519 -N '' -C throw-away -f "$work/ssh" && pem openssh ec '' PFX_IS_SSH_KEY < "$work/ssh"

for manifest in algorithms pem; do
  entries_of=$algorithms
  [ $manifest = pem ] && entries_of=$pems
  node - "$entries_of" "$out/$manifest/manifest.json" <<'JS'
const { readFileSync, writeFileSync } = require('node:fs');
const [entries, manifest] = process.argv.slice(2);
const rows = readFileSync(entries, 'utf8').trimEnd().split('\n').map((line) => {
  const [file, maker, password, thumbprint, failure] = line.split('\t');
  return { file, maker, password, ...(failure === '-' ? { thumbprint } : { failure }) };
});
writeFileSync(manifest, JSON.stringify(rows, null, 2) + '\n');
JS
done
cat > "$out/README.md" <<'MD'
# Test files

Made by `scripts/make-fixtures.sh` with the tools that `manifest.json` names. **The private keys in here are thrown
away: they were made for these tests, protect nothing, and their passwords are in the manifest.** The thumbprints are
those that the makers' own tools print.
MD
find "$out" -type f -exec chmod 644 {} +
echo "$(wc -l < "$entries") files in $out"
