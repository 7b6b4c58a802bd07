// Package cloudtrail is the AWS door: it turns the bytes of one EventBridge
// event into Changes, each saying "look at this key". It knows KMS operations
// as CloudTrail records them, KMS's own events, changes of an organisation's
// policies that a management account forwards, and the schedule tick; [Events]
// lists them, and the deployment's rules match the same list.
//
// Events are best effort, late, repeated and unordered, and their texts are
// written by whoever made the call. So an event only ever selects a key that is
// configured already and names a suspect; nothing of it builds a request, and
// nothing of it is believed about the policy. That is also why it is read
// tolerantly, unlike everything that decides something: unknown members, numbers
// in place of strings, nulls and absent parts cost at most a detail of "who".
// What cannot be understood at all is an error, because a watchdog that drops
// what it does not understand is blind without knowing it.
//
// Shapes: https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-kms.html,
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
// and https://docs.aws.amazon.com/kms/latest/developerguide/understanding-kms-entries.html.
package cloudtrail

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/loose"
)

const (
	// MaxBytes bounds an event. Lambda itself hands over at most 6 MB:
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	MaxBytes = 6 << 20
	// maxPolicy bounds the policy that a Change may carry. KMS accepts 32 KiB:
	// https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
	maxPolicy = 32 << 10
)

// Decode returns one Change for each key that the event may touch: a key that
// it names, every key of the account and Region if it names none by nature (the
// tick, a custom key store, an organisation's policies). It returns none, and no
// error, for calls that failed, for other accounts and Regions, for operations
// outside [Events] and for keys that are not in keys. An error means that the
// event could not be understood; [ID] still identifies it.
func Decode(event []byte, account, region string, keys []core.Key) ([]core.Change, error) {
	if len(event) > MaxBytes {
		return nil, fmt.Errorf("event of %d bytes, more than the %d that Lambda delivers", len(event), MaxBytes)
	}
	envelope, err := loose.Read(event)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	source, detailType := envelope.Text("source"), envelope.Text("detail-type")
	if source == "" || detailType == "" {
		return nil, errors.New("event: no source or no detail-type, so not from EventBridge")
	}
	detail, err := loose.Read(envelope["detail"])
	if err != nil {
		return nil, fmt.Errorf("event: detail: %w", err)
	}
	known, ok := lookup(source, detailType, detail.Text("eventName"))
	if !ok || detail.Has("errorCode") {
		return nil, nil
	}
	if envelope.Text("account") == "" || envelope.Text("region") == "" {
		return nil, errors.New("event: no account or no region")
	}
	if !known.Elsewhere && !here(envelope, detail, account, region) {
		return nil, nil
	}
	change := core.Change{
		Kind:    known.Kind,
		EventID: ID(event),
		At:      when(envelope, detail),
		Op:      known.op(),
		Actor:   actor(detail.Object("userIdentity"), detail, source),
	}
	named := names(envelope, detail)
	if len(named) == 0 && !known.AllKeys {
		return nil, fmt.Errorf("event: %s names no key", known.op())
	}
	var out []core.Change
	infix := ":kms:" + region + ":" + account + ":key/"
	for i := range keys {
		k := &keys[i]
		at := strings.Index(k.ID, infix)
		if at < 0 || k.Cloud != core.AWS {
			continue
		}
		if known.AllKeys || named[k.ID[at:]] {
			out = append(out, about(k, change, known, detail))
		}
	}
	return out, nil
}

// here says whether an event happened in this account and Region. Records of a
// call between accounts go to both; the recipient is the one that matters.
func here(envelope, detail loose.Object, account, region string) bool {
	recipient := detail.Text("recipientAccountId")
	return envelope.Text("account") == account && envelope.Text("region") == region &&
		(recipient == "" || recipient == account)
}

// about completes the Change of one key with what the event says of that key.
func about(k *core.Key, c core.Change, known Event, detail loose.Object) core.Change {
	c.Key, c.Takes = k.ID, known.Takes
	switch known.Name {
	case "RevokeGrant":
		c.Takes = !routine(detail.Object("userIdentity"), k)
	case "PutKeyPolicy":
		c.Copy = written(detail, k)
	}
	return c
}

// written returns the policy that a PutKeyPolicy record shows, if it shows all
// of it: CloudTrail cuts requestParameters beyond 100 KB and marks them
// "omitted". See
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func written(detail loose.Object, k *core.Key) []core.Document {
	request := detail.Object("requestParameters")
	if request.Text("omitted") == "true" {
		return nil
	}
	text := request.Text("policy")
	if len(text) > maxPolicy || !json.Valid([]byte(text)) {
		return nil
	}
	return []core.Document{{Kind: core.KeyPolicy, ID: k.ID, Text: text}}
}

// when is the moment that the cloud gives.
func when(envelope, detail loose.Object) time.Time {
	if detail.Has("eventTime") {
		return loose.Time(detail.Text("eventTime"))
	}
	return loose.Time(envelope.Text("time"))
}

// names collects every way in which an event names keys, as the end of a key's
// ARN from ":kms:" on. A bare key ID is joined with the record's Region, because
// a multi-Region key has the same ID in each. See
// https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
func names(envelope, detail loose.Object) map[string]bool {
	region := detail.Text("awsRegion")
	if region == "" {
		region = envelope.Text("region")
	}
	all := append(envelope.Texts("resources"), detail.Text("key-id"), detail.Object("serviceEventDetails").Text("keyId"))
	for _, r := range detail.Objects("resources") {
		all = append(all, r.Text("ARN"))
	}
	for _, part := range []string{"requestParameters", "responseElements"} {
		p := detail.Object(part)
		all = append(all, p.Text("keyId"), p.Text("targetKeyId"))
	}
	out := map[string]bool{}
	for _, name := range all {
		service := strings.Index(name, ":kms:")
		switch {
		case service >= 0 && strings.Contains(name, ":key/"):
			out[name[service:]] = true
		case name != "" && !strings.ContainsAny(name, ":/"): // neither an ARN nor an alias
			out[":kms:"+region+":"+envelope.Text("account")+":key/"+name] = true
		}
	}
	return out
}
