package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// addition is what the package does not tell of a block: an attribute that came
// with a later version of the provider, or how many blocks there must be.
type addition struct {
	At       string                             `json:"at"`     // resource google_x / block / block
	Since    string                             `json:"since"`  // version of the provider
	Source   string                             `json:"source"` // where it is documented
	Attr     map[string]*tfjson.SchemaAttribute `json:"attributes,omitempty"`
	Blocks   map[string]*tfjson.SchemaBlockType `json:"block_types,omitempty"`
	MinItems uint64                             `json:"min_items,omitempty"` // of the block itself
	MaxItems uint64                             `json:"max_items,omitempty"`
}

func readAdditions(name string) (map[string][]addition, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	out := map[string][]addition{}
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for provider, all := range out {
		for _, a := range all {
			if u, err := url.Parse(a.Source); err != nil || u.Scheme != "https" || a.Since == "" {
				return nil, fmt.Errorf("%s: %s: %s: it takes the version since which it is so, and the address where that is documented", name, provider, a.At)
			}
		}
	}
	return out, nil
}

func (a addition) path() []string { return strings.Split(a.At, " / ") }

func (a addition) key() key {
	kind, typeName, _ := strings.Cut(a.path()[0], " ")
	return key{kind, typeName}
}

func (a addition) merge(f *File) error {
	k := a.key()
	top := map[string]*tfjson.Schema{
		"resource": f.Schema.ResourceSchemas[k.typeName], "data": f.Schema.DataSourceSchemas[k.typeName], "provider": f.Schema.ConfigSchema,
	}[k.kind]
	if top == nil {
		return fmt.Errorf("there is no %s", k)
	}
	block := top.Block
	var self *tfjson.SchemaBlockType
	for _, name := range a.path()[1:] {
		if self = block.NestedBlocks[name]; self == nil {
			return fmt.Errorf("there is no block %s", name)
		}
		block = self.Block
	}
	for name, attr := range a.Attr {
		if block.Attributes[name] != nil {
			return fmt.Errorf("the package has the attribute %s by now: remove it here", name)
		}
		block.Attributes[name] = attr
	}
	for name, b := range a.Blocks {
		if block.NestedBlocks[name] != nil {
			return fmt.Errorf("the package has the block %s by now: remove it here", name)
		}
		block.NestedBlocks[name] = b
	}
	if a.MinItems+a.MaxItems > 0 {
		if self == nil {
			return fmt.Errorf("only a block can be there more than once")
		}
		self.MinItems, self.MaxItems = max(self.MinItems, a.MinItems), max(self.MaxItems, a.MaxItems)
	}
	f.Added = append(f.Added, a.note())
	return nil
}

// note says in the schema what did not come out of the package.
func (a addition) note() string { return a.At + " (" + a.Since + "): " + a.Source }
