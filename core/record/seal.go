package record

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"byokwatch/core"
	"byokwatch/core/strict"
)

// maxStatement is what KMS signs as it is: with MessageType RAW a message has 1
// to 4096 bytes
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#KMS-Sign-request-Message).
const maxStatement = 4096

// Statement is the message that a snapshot's signature is over: RFC 8785 JSON
// that binds key, generation, digest, previous digest, time and sum together.
// Its first member keeps a signature from meaning anything in another place
// where the same signing key is used.
func Statement(s Snapshot) ([]byte, error) {
	msg, err := encode(struct {
		Type       string      `json:"byokwatch"`
		Key        string      `json:"key"`
		Generation int         `json:"generation"`
		At         time.Time   `json:"at"`
		Digest     core.Digest `json:"digest"`
		Previous   core.Digest `json:"previous"`
		Sum        string      `json:"sum"`
	}{"snapshot/1", s.Key, s.Generation, s.At, s.Digest, s.Previous, s.Sum})
	if err == nil && len(msg) > maxStatement {
		err = fmt.Errorf("statement of %d bytes, more than %d", len(msg), maxStatement)
	}
	if err != nil {
		return nil, fmt.Errorf("state snapshot %d of %s: %w", s.Generation, s.Key, err)
	}
	return msg, nil
}

// sumOf is the hex SHA-256 over the stored form of a snapshot without its
// members sum and signature.
func sumOf(s Snapshot) (string, error) {
	s.Signature = nil
	data, err := encode(struct {
		Snapshot
		Sum string `json:"sum,omitzero"` // hides Snapshot.Sum
	}{Snapshot: s})
	if err != nil {
		return "", fmt.Errorf("sum of snapshot %d of %s: %w", s.Generation, s.Key, err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// seal completes a snapshot of k with its sum and, with signing configured, its
// signature.
func (s *Store) seal(ctx context.Context, k core.Key, snap Snapshot) (Snapshot, error) {
	if snap.Key == "" {
		snap.Key = k.ID
	}
	snap.Sum, snap.Signature = "", nil
	snap.Cause = cutChange(snap.Cause)
	snap.At = snap.At.UTC()
	// What is sealed is what will be read back, not what it was made from: an
	// empty slice, a time zone or a monotonic clock must not change the sum.
	data, err := encode(snap)
	if err != nil {
		return Snapshot{}, fmt.Errorf("seal snapshot %d of %s: %w", snap.Generation, k.ID, err)
	}
	var again Snapshot
	if err := strict.Unmarshal(data, &again); err != nil {
		return Snapshot{}, fmt.Errorf("seal snapshot %d of %s: %w", snap.Generation, k.ID, err)
	}
	if again.Sum, err = sumOf(again); err != nil {
		return Snapshot{}, err
	}
	if s.signing != nil {
		if again.Signature, err = s.sign(ctx, again); err != nil {
			return Snapshot{}, err
		}
	}
	// Also catches a signing key that is not the pinned one.
	if err := s.Verify(k, again); err != nil {
		return Snapshot{}, err
	}
	return again, nil
}

func (s *Store) sign(ctx context.Context, snap Snapshot) ([]byte, error) {
	if s.signing.Sign == nil {
		return nil, errors.New("snapshots are to be signed, but there is only the public key here: configure signing.key")
	}
	msg, err := Statement(snap)
	if err != nil {
		return nil, err
	}
	sig, err := s.signing.Sign(ctx, msg)
	if err != nil {
		return nil, fmt.Errorf("sign snapshot %d of %s: %w", snap.Generation, snap.Key, err)
	}
	return sig, nil
}

// Verify reports, as ErrInvalid, why a snapshot must not be used for k.
func (s *Store) Verify(k core.Key, snap Snapshot) error {
	invalid := func(why string) error {
		return fmt.Errorf("snapshot %d of %s: %w: %s", snap.Generation, k.ID, ErrInvalid, why)
	}
	if snap.Key != k.ID {
		return invalid(fmt.Sprintf("it is of key %q", cut(snap.Key)))
	}
	if snap.Generation < 1 || len(fmt.Sprint(snap.Generation)) > generationDigits {
		return invalid("generation out of range")
	}
	sum, err := sumOf(snap)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if sum != snap.Sum {
		return invalid("its content does not have its sum; somebody edited it")
	}
	if s.signing == nil {
		return nil
	}
	if len(snap.Signature) == 0 {
		return invalid("it is not signed, and the configuration demands signatures")
	}
	msg, err := Statement(snap)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch public := s.signing.Public.(type) {
	case ed25519.PublicKey:
		if len(public) == ed25519.PublicKeySize && ed25519.Verify(public, msg, snap.Signature) {
			return nil
		}
	case *ecdsa.PublicKey:
		hash := sha256.Sum256(msg)
		if ecdsa.VerifyASN1(public, hash[:], snap.Signature) {
			return nil
		}
	}
	return invalid("its signature is not by the pinned key")
}
