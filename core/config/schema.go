package config

import (
	"bytes"
	_ "embed"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the configuration, for editors
// and pipelines. What passes Parse is valid by it; Parse refuses more, because
// a schema can't say that two fields must agree.
func Schema() []byte { return bytes.Clone(schema) }
