package awskms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"byokwatch/core"
	"byokwatch/core/policy/stored"
	"byokwatch/core/strict"
)

var errNotAWS = errors.New("this is neither a key policy (aws kms get-key-policy), nor key metadata (aws kms describe-key), nor a snapshot (byokwatch snapshot show)")

// Recognise reads a file as one document of an AWS key, told by its shape:
//   - a key policy, as `aws kms get-key-policy --output text --query Policy`
//     prints it;
//   - {"Policy": "…", "PolicyName": "default"}, as `aws kms get-key-policy`
//     prints it otherwise;
//   - {"KeyMetadata": {…}}, as `aws kms describe-key` prints it;
//   - a snapshot or one of its documents, as `byokwatch snapshot show` prints
//     them. Of a snapshot this is its key policy; [RecogniseAll] has the rest.
//
// The document has no ID unless the file tells one. A byte order mark and space
// around the JSON are ignored; anything else is an error that says what the
// file may be.
func Recognise(file []byte) (core.Document, error) {
	docs, err := RecogniseAll(file)
	if err != nil {
		return core.Document{}, err
	}
	if doc, ok := core.Policy(docs).Find(core.KeyPolicy); ok {
		return doc, nil
	}
	return docs[0], nil
}

// RecogniseAll is [Recognise] for files that hold more than one document, in
// the order of the file.
func RecogniseAll(file []byte) ([]core.Document, error) {
	data := bytes.TrimSpace(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")))
	if err := strict.Check(data); err != nil {
		return nil, fmt.Errorf("not one well-formed JSON value: %w", err)
	}
	if data[0] == '[' {
		return documents(data)
	}
	var members map[string]json.RawMessage
	if err := strict.UnmarshalOpen(data, &members); err != nil {
		return nil, errNotAWS
	}
	has := func(name string) bool { return members[name] != nil }
	switch {
	case has("Statement"):
		return policyFile(string(data))
	case has("Policy"):
		return answer(data)
	case has("KeyMetadata"):
		return metadataFile(string(data))
	case has("policy"):
		return documents(members["policy"])
	case has("kind") && has("text"):
		return documents([]byte("[" + string(data) + "]"))
	}
	return nil, errNotAWS
}

func policyFile(text string) ([]core.Document, error) {
	if _, err := parse(text); err != nil {
		return nil, err
	}
	return []core.Document{{Kind: core.KeyPolicy, Text: text}}, nil
}

// answer reads the API's own answer.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
func answer(data []byte) ([]core.Document, error) {
	var a struct{ Policy, PolicyName string }
	if err := strict.UnmarshalOpen(data, &a); err != nil {
		return nil, fmt.Errorf("answer of get-key-policy: %w", err)
	}
	if a.PolicyName != "" && a.PolicyName != "default" {
		return nil, fmt.Errorf("answer of get-key-policy: the policy's name is %q; a key has one only, named default", a.PolicyName)
	}
	return policyFile(a.Policy)
}

func metadataFile(text string) ([]core.Document, error) {
	m, err := readMetadata(core.Policy{{Kind: core.KeyMetadata, Text: text}})
	if err != nil {
		return nil, err
	}
	return []core.Document{{Kind: core.KeyMetadata, ID: m.Arn, Text: text}}, nil
}

// documents reads documents as core writes them.
func documents(data []byte) ([]core.Document, error) {
	return stored.Documents(data, "an AWS key", []core.Kind{core.KeyPolicy, core.KeyMetadata}, func(d core.Document) error {
		read := policyFile
		if d.Kind == core.KeyMetadata {
			read = metadataFile
		}
		_, err := read(d.Text)
		return err
	})
}
