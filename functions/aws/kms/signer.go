package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Signer signs messages of up to 4,096 bytes with an ECC_NIST_P256 key for
// SIGN_VERIFY. The signature is ASN.1 DER over the message's SHA-256, as
// ecdsa.VerifyASN1 takes it
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html).
func Signer(client *kms.Client, keyARN string) func(ctx context.Context, message []byte) ([]byte, error) {
	k := New(client, Options{})
	return func(ctx context.Context, message []byte) ([]byte, error) {
		if err := k.here(keyARN); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, k.opts.Reading)
		defer cancel()
		in := &kms.SignInput{KeyId: &keyARN, Message: message, MessageType: types.MessageTypeRaw, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}
		out, err := try(ctx, k.opts, 0, func(ctx context.Context) (*kms.SignOutput, error) { return client.Sign(ctx, in, once) })
		if err != nil {
			return nil, fmt.Errorf("sign with %s: %w", keyARN, err)
		}
		if len(out.Signature) == 0 {
			return nil, errors.New("sign with " + keyARN + ": the answer has no signature")
		}
		return out.Signature, nil
	}
}
