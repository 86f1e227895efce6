// Prints the SHA-1 of the certificate in FILE, and how many are there, if the key fits.
package main

import (
	"crypto"
	"crypto/sha1"
	"fmt"
	"os"

	"software.sslmate.com/src/go-pkcs12"
)

func main() {
	file, err := os.ReadFile(os.Getenv("FILE"))
	if err != nil {
		panic(err)
	}
	key, leaf, chain, err := pkcs12.DecodeChain(file, os.Getenv("PASSWORD"))
	if err != nil {
		panic(err)
	}
	public := key.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool })
	if !public.Equal(leaf.PublicKey) {
		panic("the key does not fit")
	}
	fmt.Printf("%x %d\n", sha1.Sum(leaf.Raw), 1+len(chain))
}
