package deploytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A schema as small as one can be that has everything the check looks at.
const little = `{"schema": {
  "provider": {"block": {
    "attributes": {"project": {"type": "string", "optional": true}},
    "block_types": {"features": {"nesting_mode": "list", "min_items": 1, "max_items": 1, "block": {}}}
  }},
  "resource_schemas": {"x_topic": {"block": {
    "attributes": {
      "name": {"type": "string", "required": true},
      "labels": {"type": ["map", "string"], "optional": true},
      "size": {"type": "number", "optional": true, "computed": true},
      "id": {"type": "string", "computed": true}
    },
    "block_types": {
      "rule": {"nesting_mode": "list", "min_items": 1, "block": {"attributes": {"days": {"type": "number", "required": true}}}},
      "policy": {"nesting_mode": "list", "max_items": 1, "block": {}},
      "timeouts": {"nesting_mode": "single", "block": {"attributes": {"create": {"type": "string", "optional": true}}}}
    }
  }}},
  "data_source_schemas": {"x_topic": {"block": {"attributes": {"name": {"type": "string", "required": true}, "number": {"type": "string", "computed": true}}}}}
}}`

// topic is a resource of it that has what is required, and more.
func topic(more string) string {
	return "resource \"x_topic\" \"t\" {\n  name = \"n\"\n  rule {\n    days = 1\n  }\n" + more + "}\n"
}

func TestFaultsAgainstASchema(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"what is required":                       {topic(""), ""},
		"an argument that is missing":            {"resource \"x_topic\" \"t\" {\n  rule {\n    days = 1\n  }\n}\n", "resource x_topic.t: name is not given"},
		"a block that is missing":                {"resource \"x_topic\" \"t\" {\n  name = \"n\"\n}\n", "resource x_topic.t: the block rule is missing"},
		"an argument that is not there":          {topic("  nick = 1\n"), "main.tf:6: resource x_topic.t has no argument nick"},
		"an argument of a block is not there":    {topic("  rule {\n    days = 1\n    nights = 1\n  }\n"), "main.tf:8: resource x_topic.t has no argument nights"},
		"an argument of a block is missing":      {topic("  rule {}\n"), "main.tf:6: resource x_topic.t: days is not given"},
		"a block that is not there":              {topic("  rules {}\n"), "main.tf:6: resource x_topic.t has no block rules"},
		"a block given as an argument":           {topic("  policy = []\n"), "main.tf:6: resource x_topic.t: policy is a block, not an argument"},
		"an argument given as a block":           {topic("  labels {\n    a = 1\n  }\n"), "main.tf:6: resource x_topic.t: labels is an argument, not a block"},
		"a computed argument":                    {topic("  id = \"x\"\n"), "main.tf:6: resource x_topic.t: id is computed, not given"},
		"a computed argument that may be given":  {topic("  size = 1\n"), ""},
		"a block that is there once":             {topic("  policy {}\n  timeouts {\n    create = \"1m\"\n  }\n"), ""},
		"one that is there twice":                {topic("  policy {}\n  policy {}\n"), "the block policy is there 2 times"},
		"one that can only be there once, twice": {topic("  timeouts {}\n  timeouts {}\n"), "the block timeouts is there 2 times"},
		"a value of the wrong type":              {topic("  size = \"big\"\n"), "main.tf:6: resource x_topic.t: size: a number is required"},
		"a list in place of a map":               {topic("  labels = [\"a\"]\n"), "resource x_topic.t: labels: "},
		"a value that is not known":              {topic("  size = var.size\n"), ""},
		"Terraform's own":                        {topic("  count = 1\n  lifecycle {\n    prevent_destroy = true\n  }\n"), ""},
		"Terraform's own in a block":             {topic("  rule {\n    days  = 1\n    count = 1\n  }\n"), "main.tf:8: resource x_topic.t has no argument count"},
		"a dynamic block":                        {"resource \"x_topic\" \"t\" {\n  name = \"n\"\n  dynamic \"rule\" {\n    for_each = [1]\n    content {\n      days = rule.value\n    }\n  }\n}\n", ""},
		"a dynamic block that is not there":      {topic("  dynamic \"rules\" {\n    for_each = [1]\n    content {}\n  }\n"), "resource x_topic.t has no block rules"},
		"a fault in a dynamic block":             {topic("  dynamic \"rule\" {\n    for_each = [1]\n    content {\n      days = 1\n      nights = 1\n    }\n  }\n"), "has no argument nights"},
		"a dynamic block without content":        {topic("  dynamic \"rule\" {\n    for_each = [1]\n  }\n"), "the dynamic block rule has no content"},
		"a type that is not there":               {"resource \"x_queue\" \"t\" {}\n", "resource x_queue is not in deploy/schemas/x.json"},
		"a provider that is not there":           {"resource \"z_queue\" \"t\" {}\n", "no schema of the provider z"},
		"the provider that a resource names":     {topic("  provider = x-beta\n"), "no schema of the provider x-beta"},
		"an alias of a provider":                 {topic("  provider = x.west\n"), ""},
		"what Terraform brings itself":           {"resource \"terraform_data\" \"t\" {\n  input = 1\n}\n", ""},
		"a provider's block":                     {"provider \"x\" {\n  features {}\n}\n", ""},
		"a provider's block that misses one":     {"provider \"x\" {\n  project = \"p\"\n}\n", "provider x: the block features is missing"},
		"an attribute that is there":             {topic("") + "data \"x_topic\" \"d\" {\n  name = x_topic.t.id\n}\n", ""},
		"an attribute that is not there":         {topic("") + "data \"x_topic\" \"d\" {\n  name = x_topic.t.number\n}\n", "x_topic.t has no attribute number"},
		"an attribute of a data source":          {topic("  labels = { a = data.x_topic.d.numbers }\n") + "data \"x_topic\" \"d\" {\n  name = \"n\"\n}\n", "data.x_topic.d has no attribute numbers"},
		"a data source of a check":               {"check \"c\" {\n  data \"x_topic\" \"d\" {}\n}\n", "data x_topic.d: name is not given"},
	} {
		t.Run(name, func(t *testing.T) {
			m := written(t, c.text, map[string]string{"x.json": little})
			faults, err := m.schemaFaults(m.Dir)
			only(t, faults, err, c.want)
		})
	}
}

func TestAFileWithoutSchemaIsNoSchema(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{"{}": "there is none in the file", "{": "schema of the provider x"} {
		if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadSchema(dir, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestProvidersAreConfiguredWithTheLeast(t *testing.T) {
	m := written(t, "terraform {\n  required_providers {\n    x = {\n      source = \"a/x\"\n    }\n    y = {\n      source = \"a/y\"\n    }\n  }\n}\nprovider \"y\" {}\n",
		map[string]string{"deploy/schemas/x.json": little})
	if err := configureProviders(m.Dir, m.Dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(m.Dir, "deploytest_providers.tf"))
	if want := "provider \"x\" {\n  features {}\n}\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}
