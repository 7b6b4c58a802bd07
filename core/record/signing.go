package record

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// Signing is who seals snapshots.
type Signing struct {
	// Sign signs a message of at most 4096 bytes. Nil: this process can only
	// verify.
	Sign func(ctx context.Context, message []byte) ([]byte, error)
	// Public is pinned by the configuration: an ed25519.PublicKey, whose
	// signatures are over the message itself, or an *ecdsa.PublicKey on P-256,
	// whose signatures are ASN.1 DER over the message's SHA-256, as KMS makes
	// them for ECDSA_SHA_256.
	Public crypto.PublicKey
}

// ParsePublicKey reads a base64 SubjectPublicKeyInfo, as `aws kms
// get-public-key --output text --query PublicKey` prints it and `openssl pkey
// -pubout -outform DER | base64` makes it from a key file.
func ParsePublicKey(base64SPKI string) (crypto.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(base64SPKI)
	if err != nil {
		return nil, fmt.Errorf("public key is not base64: %w", err)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("public key is not a SubjectPublicKeyInfo: %w", err)
	}
	switch p := public.(type) {
	case ed25519.PublicKey:
		return p, nil
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P256() {
			return p, nil
		}
		return nil, fmt.Errorf("public key is on curve %s: want P-256", p.Curve.Params().Name)
	default:
		return nil, fmt.Errorf("public key is a %T: want Ed25519 or ECDSA on P-256", public)
	}
}

// KeyFileSigner makes a signer of a key file: one PEM block "PRIVATE KEY"
// (PKCS #8) with an Ed25519 key, as `openssl genpkey -algorithm ed25519` writes
// it. An error never holds anything of the file.
func KeyFileSigner(pemPKCS8 []byte) (func(ctx context.Context, message []byte) ([]byte, error), error) {
	const want = `signing key file: want one PEM block "PRIVATE KEY" with an Ed25519 key (openssl genpkey -algorithm ed25519)`
	block, _ := pem.Decode(pemPKCS8)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New(want)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New(want)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s, have a %T", want, key)
	}
	return func(_ context.Context, message []byte) ([]byte, error) {
		return ed25519.Sign(private, message), nil
	}, nil
}
