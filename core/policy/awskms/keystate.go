package awskms

import (
	"errors"
	"fmt"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/strict"
)

// metadata is what the judge reads of `aws kms describe-key`.
//
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html
type metadata struct {
	Arn                   string
	Enabled               bool
	KeyState              string
	KeyUsage              string
	KeySpec               string
	CustomerMasterKeySpec string // the former name of KeySpec
	Origin                string
	MultiRegion           bool
	ExpirationModel       string
}

// spec is the key's spec under either name.
func (m metadata) spec() string {
	if m.KeySpec == "" {
		return m.CustomerMasterKeySpec
	}
	return m.KeySpec
}

// policyDocument is the one key policy of p.
func policyDocument(p core.Policy) (core.Document, error) {
	return only(p, core.KeyPolicy, "key policy")
}

func only(p core.Policy, kind core.Kind, what string) (core.Document, error) {
	var found []core.Document
	for _, d := range p {
		if d.Kind == kind {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 0:
		return core.Document{}, fmt.Errorf("there is no %s", what)
	case len(found) > 1:
		return core.Document{}, fmt.Errorf("there are %d documents of the kind %s", len(found), what)
	case found[0].Unreadable != "":
		return core.Document{}, fmt.Errorf("the %s can't be read: %s", what, found[0].Unreadable)
	}
	return found[0], nil
}

func readMetadata(p core.Policy) (metadata, error) {
	doc, err := only(p, core.KeyMetadata, "key metadata")
	if err != nil {
		return metadata{}, err
	}
	var m struct{ KeyMetadata *metadata }
	if err := strict.UnmarshalOpen([]byte(doc.Text), &m); err != nil {
		return metadata{}, fmt.Errorf("key metadata: %w", err)
	}
	if m.KeyMetadata == nil || m.KeyMetadata.KeyState == "" {
		return metadata{}, errors.New("key metadata: no KeyState")
	}
	if strings.HasPrefix(doc.ID, "arn:") && m.KeyMetadata.Arn != "" && m.KeyMetadata.Arn != doc.ID {
		return metadata{}, fmt.Errorf("the key metadata are of another key, %s", m.KeyMetadata.Arn)
	}
	return *m.KeyMetadata, nil
}

// canonical is the part of the metadata that tells one state of the key from
// another for Confluent. Updating is a usable state of some seconds.
func (m metadata) canonical() string {
	state := m.KeyState
	if state == "Updating" {
		state = "Enabled"
	}
	return fmt.Sprintf("%q %t %q %q", state, m.Enabled, m.spec(), m.KeyUsage)
}

// usable says whether the key serves cryptographic operations, and what the
// state means.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html#key-state-table
func (m metadata) usable() (r core.Result, reason string) {
	switch m.KeyState {
	case "Enabled", "Updating":
		if !m.Enabled {
			return core.Undetermined, fmt.Sprintf("the key's state is %s but KMS says that it is not enabled", m.KeyState)
		}
	case "Disabled":
		return core.Missing, "the key is disabled"
	case "PendingDeletion", "PendingReplicaDeletion":
		return core.Missing, "the key is scheduled for deletion and can't be used until that is cancelled"
	case "PendingImport":
		return core.Missing, "the key has no key material: it was deleted, has expired, or was never imported"
	case "Unavailable":
		return core.Missing, "the key is unavailable: its custom key store is disconnected"
	case "Creating":
		return core.Missing, "the key is still being created"
	default:
		return core.Undetermined, fmt.Sprintf("nothing is known of the key state %q", m.KeyState)
	}
	switch {
	case m.spec() != "" && m.spec() != confluent.AWSKeySpec:
		return core.Missing, fmt.Sprintf("the key's spec is %q; Confluent takes symmetric keys (%s) only", m.spec(), confluent.AWSKeySpec)
	case m.KeyUsage != "" && m.KeyUsage != confluent.AWSKeyUsage:
		return core.Missing, fmt.Sprintf("the key's usage is %q; Confluent needs %s", m.KeyUsage, confluent.AWSKeyUsage)
	}
	return core.Met, "the key is enabled"
}

// remedy says what a person may do about a state.
func (m metadata) remedy() string {
	switch m.KeyState {
	case "Disabled":
		return "enable the key, or say that it is meant with byokwatch hold or revoke"
	case "PendingDeletion", "PendingReplicaDeletion":
		return "cancel the deletion, then enable the key"
	case "PendingImport":
		return "import the same key material again"
	case "Unavailable":
		return "connect the custom key store"
	}
	return ""
}

// nobodyCan says that the key is in a state in which nobody can use it.
func (m metadata) nobodyCan() bool {
	switch m.KeyState {
	case "Disabled", "PendingDeletion", "PendingReplicaDeletion", "PendingImport", "Unavailable", "Creating":
		return true
	}
	return false
}

// deleting says that the key is scheduled for deletion.
func (m metadata) deleting() bool {
	return m.KeyState == "PendingDeletion" || m.KeyState == "PendingReplicaDeletion"
}

// judgeProperty answers a Requirement on the key itself.
func judgeProperty(need core.Requirement, p core.Policy, key string) core.Finding {
	f := core.Finding{Requirement: need}
	m, err := readMetadata(p)
	switch {
	case need.Permission != keyEnabled:
		f.Reason = fmt.Sprintf("nothing is known of the property %q", need.Permission)
	case err != nil:
		f.Reason = err.Error()
	case key != "" && m.Arn != "" && m.Arn != key:
		f.Reason = fmt.Sprintf("the key metadata are of another key, %s", m.Arn)
	default:
		f.Result, f.Reason = m.usable()
		f.Remedy = m.remedy()
	}
	return f
}
