package awskms

import (
	"encoding/json"
	"fmt"

	"byokwatch/core"
	lazy "byokwatch/core/pattern"
	"byokwatch/core/strict"
)

// The operations of a Step on AWS; the names are those of the KMS API.
const (
	opPutKeyPolicy = "PutKeyPolicy"
	opEnableKey    = "EnableKey"
)

// putBody is the body of a PutKeyPolicy step, member by member the API's own.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
type putBody struct {
	KeyId                          string
	PolicyName                     string
	Policy                         string
	BypassPolicyLockoutSafetyCheck bool
}

// enableBody is the body of an EnableKey step.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKey.html
type enableBody struct{ KeyId string }

// keyARN is the grammar of a key ARN, which is all that enters a command.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN
var keyARN = lazy.New(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+$`)

// command writes a call of `aws kms` on the key. Text of a policy never enters
// it: a policy is read from a file.
func command(key, verb, options string) (string, error) {
	m := keyARN.FindStringSubmatch(key)
	if m == nil {
		return "", fmt.Errorf("%q is not a KMS key ARN", key)
	}
	line := fmt.Sprintf("aws kms %s --region %s --key-id %s", verb, m[1], key)
	if options != "" {
		line += " " + options
	}
	return line, nil
}

const putOptions = "--policy-name default --policy file://policy.json"

func putStep(key, text string) (core.Step, error) {
	line, err := command(key, "put-key-policy", putOptions)
	if err != nil {
		return core.Step{}, err
	}
	body, err := json.Marshal(putBody{KeyId: key, PolicyName: "default", Policy: text})
	if err != nil {
		return core.Step{}, fmt.Errorf("write the body of %s: %w", opPutKeyPolicy, err)
	}
	return core.Step{Op: opPutKeyPolicy, ID: key, Body: body, Command: line}, nil
}

func enableStep(key string) (core.Step, error) {
	line, err := command(key, "enable-key", "")
	if err != nil {
		return core.Step{}, err
	}
	body, err := json.Marshal(enableBody{KeyId: key})
	if err != nil {
		return core.Step{}, fmt.Errorf("write the body of %s: %w", opEnableKey, err)
	}
	return core.Step{Op: opEnableKey, ID: key, Body: body, Command: line}, nil
}

// enabled is the key metadata as it reads once the key is enabled: all other
// members as they were.
func enabled(doc core.Document) (core.Document, error) {
	var outer map[string]json.RawMessage
	if err := strict.UnmarshalOpen([]byte(doc.Text), &outer); err != nil {
		return core.Document{}, fmt.Errorf("key metadata: %w", err)
	}
	var inner map[string]json.RawMessage
	if err := json.Unmarshal(outer["KeyMetadata"], &inner); err != nil {
		return core.Document{}, fmt.Errorf("key metadata: %w", err)
	}
	inner["Enabled"], inner["KeyState"] = json.RawMessage("true"), json.RawMessage(`"Enabled"`)
	var err error
	if outer["KeyMetadata"], err = json.Marshal(inner); err != nil {
		return core.Document{}, fmt.Errorf("key metadata: %w", err)
	}
	text, err := json.MarshalIndent(outer, "", "    ")
	if err != nil {
		return core.Document{}, fmt.Errorf("key metadata: %w", err)
	}
	doc.Text = string(text)
	return doc, nil
}

// parsed reads the key policy of p.
func parsed(p core.Policy) (policy, error) {
	doc, err := policyDocument(p)
	if err != nil {
		return policy{}, err
	}
	return parse(doc.Text)
}

// withText is p with another key policy.
func withText(p core.Policy, text string) core.Policy {
	doc, _ := p.Find(core.KeyPolicy)
	doc.Text = text
	return p.With(doc)
}
