package auditlog

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// object is a JSON object of which only the looked-at members are ever decoded,
// so that the rest of an entry costs one scan, whatever it holds. Members are
// looked up in the spelling of protobuf's JSON form, and in that of the
// protobuf itself, which some requests are logged in: cryptoKeyVersion,
// crypto_key_version.
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

func (o object) member(name string) json.RawMessage {
	if raw, ok := o[name]; ok {
		return raw
	}
	return o[snake(name)]
}

func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// object returns a member that is an object, else an empty one.
func (o object) object(name string) object {
	member, err := readObject(o.member(name))
	if err != nil {
		return nil
	}
	return member
}

// objects returns the objects of an array.
func (o object) objects(name string) []object {
	var all []json.RawMessage
	if err := json.Unmarshal(o.member(name), &all); err != nil {
		return nil
	}
	var out []object
	for _, e := range all {
		if member, err := readObject(e); err == nil {
			out = append(out, member)
		}
	}
	return out
}

// text returns a member that is a string, number or boolean, as text; else "".
func (o object) text(name string) string {
	raw := o.member(name)
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

// mask returns the paths of a field mask, which is logged as one text or as an
// object with a list; nil where there is none.
func (o object) mask(name string) []string {
	if s := o.text(name); s != "" {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	}
	var paths []string
	if err := json.Unmarshal(o.object(name).member("paths"), &paths); err != nil {
		return nil
	}
	return paths
}

// maxID bounds an entry's ID: a log's name, an insert ID and a timestamp.
const maxID = 300

// ID identifies an entry over redeliveries, by whichever way it comes: the
// log's name, the insert ID, or that of the whole where a long entry was
// split, and the timestamp. Without these it is a digest of the bytes. It
// answers for every input, also for one that Decode refuses.
//
// https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
func ID(entry []byte) string {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(entry))
	if len(entry) > MaxBytes {
		return digest
	}
	e, err := readObject(entry)
	if err != nil {
		return digest
	}
	insert := e.object("split").text("uid")
	if insert == "" {
		insert = e.text("insertId")
	}
	at := when(e)
	id := e.text("logName") + "/" + insert + "/" + at.Format(time.RFC3339Nano)
	if insert == "" || at.IsZero() || len(id) > maxID {
		return digest
	}
	return id
}

// when is the moment that the log gives. One that does not parse is unknown,
// never now.
func when(entry object) time.Time {
	at, err := time.Parse(time.RFC3339, entry.text("timestamp"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
