package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"

	tfjson "github.com/hashicorp/terraform-json"
)

// File is one committed schema: where it comes from, and what Terraform itself
// would print with `terraform providers schema -json`, for some of the types.
// https://developer.hashicorp.com/terraform/cli/commands/providers/schema
type File struct {
	Provider  string                 `json:"provider"` // registry address without host
	Version   string                 `json:"version"`  // of the provider
	Package   string                 `json:"package"`  // npm, with its version
	Integrity string                 `json:"integrity"`
	License   string                 `json:"license"`
	Added     []string               `json:"added,omitempty"` // from additions.json
	Schema    *tfjson.ProviderSchema `json:"schema"`
}

//go:embed google.json google-beta.json azurerm.json aws.json
var committed embed.FS

// load reads the committed schema of a provider.
func load(name string) (*File, error) {
	data, err := committed.ReadFile(name + ".json")
	if err != nil {
		return nil, fmt.Errorf("no schema of the provider %s is kept here: %w", name, err)
	}
	return parseFile(data)
}

func parseFile(data []byte) (*File, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var f File
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if f.Schema == nil || f.Schema.ConfigSchema == nil || f.Schema.ConfigSchema.Block == nil {
		return nil, fmt.Errorf("the file does not say what the block of its provider is")
	}
	return &f, nil
}
