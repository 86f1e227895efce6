"""Prints the SHA-1 of the certificate in FILE, and how many are there, if the key fits."""

import os
import sys

import cryptography
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import pkcs12

if len(sys.argv) > 1:
    print(f"cryptography {cryptography.__version__} with {backend.openssl_version_text()}")
    sys.exit()
with open(os.environ["FILE"], "rb") as file:
    key, leaf, chain = pkcs12.load_key_and_certificates(file.read(), os.environ["PASSWORD"].encode())
if key.public_key() != leaf.public_key():
    sys.exit("the key does not fit")
print(leaf.fingerprint(hashes.SHA1()).hex(), 1 + len(chain))
