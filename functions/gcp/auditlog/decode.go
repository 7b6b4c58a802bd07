// Package auditlog is the Google Cloud door: it takes an HTTP request apart in
// whichever form the platform delivers ([Open]) and turns the Cloud Audit Log
// entry in it into Changes, each saying "look at this key" ([Decode]). [Events]
// lists the entries that count; the log sink's filter matches the same list.
//
// Access to a key may be taken far above it, by its project's policy, by a role
// that is emptied, by a deny policy of the organisation. Such an entry becomes
// one Change for each configured key that it may touch.
//
// Entries are best effort, late, repeated and unordered, long ones come in
// parts and long-running methods twice, and their texts are written by whoever
// made the call. So an entry only ever selects a key that is configured already
// and names a suspect; nothing of it builds a request, and nothing of it is
// believed about the policy. That is also why it is read tolerantly, unlike
// everything that decides something: unknown members, either spelling of a
// name, numbers in place of strings and absent parts cost at most a detail of
// "who". What cannot be understood at all is an error, because a watchdog that
// drops what it does not understand is blind without knowing it.
//
// Shapes: https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry and
// https://docs.cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog.
package auditlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"byokwatch/core"
	"byokwatch/core/loose"
)

const (
	// MaxBytes bounds an entry, and with its envelope a request. Pub/Sub
	// delivers at most 10 MB: https://docs.cloud.google.com/pubsub/quotas
	MaxBytes = 10 << 20
	// maxPolicy bounds the policy that a Change may carry. IAM's largest, of
	// 1,500 members, is well below:
	// https://docs.cloud.google.com/iam/quotas
	maxPolicy = 512 << 10
)

// Decode returns one Change for each of keys that the entry may touch: the key
// that it names, those of the ring or project that it names, or every one where
// it is about a folder or an organisation; for the tick, {"kind":"sweep"}, all.
// It returns none, and no error, for calls that failed, for methods outside
// [Events] and for what no configured key is below. An error means that the
// entry could not be understood; [ID] still identifies it.
func Decode(entry []byte, keys []core.Key) ([]core.Change, error) {
	if len(entry) > MaxBytes {
		return nil, fmt.Errorf("log entry of %d bytes, more than the %d that Pub/Sub delivers", len(entry), MaxBytes)
	}
	e, err := loose.Read(entry)
	if err != nil {
		return nil, fmt.Errorf("log entry: %w", err)
	}
	if e.Text("kind") == "sweep" {
		return fan(keys, scope{}, core.Change{Kind: core.Tick, EventID: ID(entry), Op: "Sweep"}), nil
	}
	if e.Member("protoPayload") == nil {
		if e.Text("logName") != "" {
			return nil, nil // an entry of some other log
		}
		return nil, errors.New("neither a log entry nor a tick: no protoPayload and no logName")
	}
	payload, err := loose.Read(e.Member("protoPayload"))
	if err != nil {
		return nil, fmt.Errorf("log entry: protoPayload: %w", err)
	}
	service, method := payload.Text("serviceName"), payload.Text("methodName")
	if service == "" || method == "" {
		return nil, errors.New("log entry: no serviceName or no methodName, so not from an audit log")
	}
	known, ok := lookup(service, method)
	if !ok || failed(payload) {
		return nil, nil
	}
	where, ok, err := place(e, payload, known)
	if err != nil || !ok {
		return nil, err
	}
	change := core.Change{
		Kind: known.Kind, Takes: known.Takes, EventID: ID(entry), At: when(e), Op: known.Method, Actor: actor(payload),
	}
	if known.Service == kms && known.Method == updateVersion {
		setsState(&change, payload.Object("request"))
	}
	out := fan(keys, where, change)
	if known.Service == kms && known.Method == setIAMPolicy && where.whole && e.Member("split") == nil {
		for i := range out {
			out[i].Copy = written(payload.Object("request"), out[i].Key)
		}
	}
	return out, nil
}

// failed says whether the call changed nothing
// (https://docs.cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog#Status).
func failed(payload loose.Object) bool {
	code := payload.Object("status").Text("code")
	return code != "" && code != "0"
}

// place finds what an entry is about. ok is false for what stands above no key.
func place(entry, payload loose.Object, known Event) (where scope, ok bool, err error) {
	named := false
	project := explains(entry)
	for _, name := range names(entry, payload) {
		if name == "" {
			continue
		}
		if where, ok := scopeOf(name, project); ok {
			return where, true, nil
		}
		named = true
	}
	switch {
	case known.Wide:
		return scope{}, true, nil
	case !named:
		return scope{}, false, fmt.Errorf("log entry: %s names no resource", known.Method)
	}
	return scope{}, false, nil
}

// fan makes one Change for each key that a scope covers.
func fan(keys []core.Key, where scope, c core.Change) []core.Change {
	var out []core.Change
	for i := range keys {
		if keys[i].Cloud == core.GCP && where.covers(keys[i].ID) {
			c.Key = keys[i].ID
			out = append(out, c)
		}
	}
	return out
}

// setsState tells an update that enables or disables a version from one that
// changes something else of it.
func setsState(c *core.Change, request loose.Object) {
	if mask := request.Mask("updateMask"); mask != nil && !slices.Contains(mask, "state") {
		return
	}
	// By name or by number:
	// https://docs.cloud.google.com/kms/docs/reference/rest/v1/CryptoKeyVersionState
	switch request.Object("cryptoKeyVersion").Text("state") {
	case "ENABLED", "1":
		c.Kind = core.StateChange
	case "DISABLED", "2":
		c.Kind, c.Takes = core.StateChange, true
	}
}

// written returns the policy that a SetIamPolicy entry shows, if that is all of
// what decides: a mask may leave the bindings alone, and what was cut has lost
// its shape.
func written(request loose.Object, key string) []core.Document {
	if mask := request.Mask("updateMask"); mask != nil && !slices.Contains(mask, "bindings") {
		return nil
	}
	text := request.Member("policy")
	var shape struct {
		Bindings []struct {
			Role    string   `json:"role"`
			Members []string `json:"members"`
		} `json:"bindings"`
	}
	if len(text) == 0 || text[0] != '{' || len(text) > maxPolicy || !utf8.Valid(text) || json.Unmarshal(text, &shape) != nil {
		return nil
	}
	return []core.Document{{Kind: core.IAMPolicy, ID: key, Text: string(text)}}
}
