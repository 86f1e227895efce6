/** Every OID of this format, once, by the name that its RFC gives it. */

export const OID = {
  // PKCS #7 content types (RFC 2315, section 14; RFC 5652)
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  encryptedData: '1.2.840.113549.1.7.6',

  // Bags, certificate types and attributes (RFC 7292, section 4.2; RFC 2985)
  keyBag: '1.2.840.113549.1.12.10.1.1',
  pkcs8ShroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  safeContentsBag: '1.2.840.113549.1.12.10.1.6',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  localKeyId: '1.2.840.113549.1.9.21',

  // Encryption of PKCS #12 (RFC 7292, appendix C) and PKCS #5 (RFC 8018, appendix A)
  pbeWithSHAAnd128BitRC4: '1.2.840.113549.1.12.1.1',
  pbeWithSHAAnd40BitRC4: '1.2.840.113549.1.12.1.2',
  pbeWithSHAAnd3KeyTripleDESCBC: '1.2.840.113549.1.12.1.3',
  pbeWithSHAAnd2KeyTripleDESCBC: '1.2.840.113549.1.12.1.4',
  pbeWithSHAAnd128BitRC2CBC: '1.2.840.113549.1.12.1.5',
  pbeWithSHAAnd40BitRC2CBC: '1.2.840.113549.1.12.1.6',
  pbeWithMD2AndDESCBC: '1.2.840.113549.1.5.1',
  pbeWithMD5AndDESCBC: '1.2.840.113549.1.5.3',
  pbeWithMD2AndRC2CBC: '1.2.840.113549.1.5.4',
  pbeWithMD5AndRC2CBC: '1.2.840.113549.1.5.6',
  pbeWithSHA1AndDESCBC: '1.2.840.113549.1.5.10',
  pbeWithSHA1AndRC2CBC: '1.2.840.113549.1.5.11',
  pbkdf2: '1.2.840.113549.1.5.12',
  pbes2: '1.2.840.113549.1.5.13',
  pbmac1: '1.2.840.113549.1.5.14',
  scrypt: '1.3.6.1.4.1.11591.4.11',

  // Ciphers
  desCBC: '1.3.14.3.2.7',
  desEDE3CBC: '1.2.840.113549.3.7',
  rc2CBC: '1.2.840.113549.3.2',
  rc5CBC: '1.2.840.113549.3.9',
  cast5CBC: '1.2.840.113533.7.66.10',
  seedCBC: '1.2.410.200004.1.4',
  ideaCBC: '1.3.6.1.4.1.188.7.1.1.2',
  aes128CBC: '2.16.840.1.101.3.4.1.2',
  aes128GCM: '2.16.840.1.101.3.4.1.6',
  aes192CBC: '2.16.840.1.101.3.4.1.22',
  aes192GCM: '2.16.840.1.101.3.4.1.26',
  aes256CBC: '2.16.840.1.101.3.4.1.42',
  aes256GCM: '2.16.840.1.101.3.4.1.46',
  camellia128CBC: '1.2.392.200011.61.1.1.1.2',
  camellia192CBC: '1.2.392.200011.61.1.1.1.3',
  camellia256CBC: '1.2.392.200011.61.1.1.1.4',
  aria128CBC: '1.2.410.200046.1.1.2',
  aria192CBC: '1.2.410.200046.1.1.7',
  aria256CBC: '1.2.410.200046.1.1.12',
  gost28147: '1.2.643.2.2.21',

  // Hashes
  md5: '1.2.840.113549.2.5',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  sha224: '2.16.840.1.101.3.4.2.4',
  sha512_224: '2.16.840.1.101.3.4.2.5',
  sha512_256: '2.16.840.1.101.3.4.2.6',
  blake2b512: '1.3.6.1.4.1.1722.12.2.1.16',
  blake2s256: '1.3.6.1.4.1.1722.12.2.2.8',
  gostR3411_94: '1.2.643.2.2.9',
  gostR3411_2012_256: '1.2.643.7.1.1.2.2',
  gostR3411_2012_512: '1.2.643.7.1.1.2.3',

  // HMACs (RFC 8018, appendix B.1; RFC 2202's is also known by the number that IANA gave it)
  hmacWithSHA1: '1.2.840.113549.2.7',
  hmacSHA1: '1.3.6.1.5.5.8.1.2',
  hmacWithSHA224: '1.2.840.113549.2.8',
  hmacWithSHA256: '1.2.840.113549.2.9',
  hmacWithSHA384: '1.2.840.113549.2.10',
  hmacWithSHA512: '1.2.840.113549.2.11',
  hmacWithSHA512_224: '1.2.840.113549.2.12',
  hmacWithSHA512_256: '1.2.840.113549.2.13',
  hmacGostR3411_94: '1.2.643.2.2.10',

  // Public keys (RFC 3279, RFC 4055, RFC 8410)
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsassaPss: '1.2.840.113549.1.1.10',
  dsa: '1.2.840.10040.4.1',
  ecPublicKey: '1.2.840.10045.2.1',
  x25519: '1.3.101.110',
  x448: '1.3.101.111',
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
  gostR3410_2001: '1.2.643.2.2.19',
  gostR3410_2012_256: '1.2.643.7.1.1.1.1',
  gostR3410_2012_512: '1.2.643.7.1.1.1.2',

  // Signatures with a broken hash (RFC 3279, section 2.2; the last one by the OIW, for RSA)
  md5WithRSAEncryption: '1.2.840.113549.1.1.4',
  sha1WithRSAEncryption: '1.2.840.113549.1.1.5',
  dsaWithSHA1: '1.2.840.10040.4.3',
  ecdsaWithSHA1: '1.2.840.10045.4.1',
  sha1WithRSA: '1.3.14.3.2.29',

  // Extensions of a certificate (RFC 5280, section 4.2.1)
  keyUsage: '2.5.29.15',
} as const;
