package cloudtrail

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// object is a JSON object of which only the looked-at members are ever decoded,
// so that the rest of an event costs one scan, whatever it holds.
type object map[string]json.RawMessage

// readObject reads a JSON object and nothing else.
func readObject(data []byte) (object, error) {
	if len(data) == 0 {
		return nil, errors.New("absent")
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if o == nil {
		return nil, errors.New("null in place of a JSON object")
	}
	return o, nil
}

// object returns a member that is an object, else an empty one.
func (o object) object(name string) object {
	member, err := readObject(o[name])
	if err != nil {
		return nil
	}
	return member
}

// text returns a member that is a string, number or boolean, as text; else "".
func (o object) text(name string) string { return text(o[name]) }

// texts returns the strings of an array.
func (o object) texts(name string) []string {
	var out []string
	for _, e := range o.array(name) {
		out = append(out, text(e))
	}
	return out
}

// objects returns the objects of an array.
func (o object) objects(name string) []object {
	var out []object
	for _, e := range o.array(name) {
		if member, err := readObject(e); err == nil {
			out = append(out, member)
		}
	}
	return out
}

// has says whether a member is there and neither null nor empty text.
func (o object) has(name string) bool {
	raw := string(o[name])
	return raw != "" && raw != "null" && raw != `""`
}

func (o object) array(name string) []json.RawMessage {
	var out []json.RawMessage
	if err := json.Unmarshal(o[name], &out); err != nil {
		return nil
	}
	return out
}

func text(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '{', '[', 'n': // object, array, null
		return ""
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return ""
		}
		return s
	}
	return string(raw)
}

// maxID bounds an event's ID; CloudTrail's and EventBridge's are UUIDs.
const maxID = 64

// ID identifies an event over redeliveries and re-issues: the ID of the record
// that a re-issued one corrects, else CloudTrail's, else EventBridge's, else a
// digest of the bytes. It answers for every input, also for one that Decode
// refuses.
func ID(event []byte) string {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(event))
	if len(event) > MaxBytes {
		return digest
	}
	envelope, err := readObject(event)
	if err != nil {
		return digest
	}
	detail := envelope.object("detail")
	for _, id := range []string{
		detail.object("addendum").text("originalEventID"),
		detail.text("eventID"),
		envelope.text("id"),
	} {
		if id != "" && len(id) <= maxID {
			return id
		}
	}
	return digest
}
