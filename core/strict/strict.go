// Package strict is the one reader for JSON that decides something: policies,
// snapshots, records, requests and configuration. A cloud must not read a
// policy otherwise than we do, so everything on which readers are known to
// differ does not parse at all: duplicate or miscased members, invalid UTF-8,
// lone surrogates, trailing data, and excessive depth or size.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxBytes bounds any document; the largest that a cloud serves, a vault
	// with 4,000 role assignments, stays well below.
	MaxBytes = 16 << 20
	// MaxDepth bounds nesting. A key policy needs 7 levels, a record 12.
	MaxDepth = 32
)

// Unmarshal reads exactly one JSON value into v. Members of v's structs are
// matched by their exact names, and a member that v does not have is an error.
func Unmarshal(data []byte, v any) error {
	if err := Check(data); err != nil {
		return err
	}
	return json.Unmarshal(data, v, json.RejectUnknownMembers(true))
}

// UnmarshalOpen is Unmarshal for documents of a cloud, which may grow members
// that we do not know yet: those are ignored.
func UnmarshalOpen(data []byte, v any) error {
	if err := Check(data); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// Check reports why data is not one well-formed JSON value in the strict sense.
func Check(data []byte) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("%d bytes, more than %d", len(data), MaxBytes)
	}
	d := jsontext.NewDecoder(bytes.NewReader(data))
	for values := 0; ; {
		tok, err := d.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && values == 1:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("no JSON value")
		case err != nil:
			return err
		}
		if d.StackDepth() > MaxDepth {
			return fmt.Errorf("nested deeper than %d levels", MaxDepth)
		}
		if k := tok.Kind(); d.StackDepth() == 0 && k != '{' && k != '[' {
			values++
		}
		if values > 1 {
			return errors.New("data after the JSON value")
		}
	}
}
