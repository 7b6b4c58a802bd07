package deploytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written is a module with that text, and the files beside it.
func written(t *testing.T, text string, beside map[string]string) *Module {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "module")
	all := map[string]string{"main.tf": text}
	for name, more := range beside {
		all[name] = more
	}
	for name, text := range all {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := parse(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// only wants one fault that says so, or none where want is "".
func only(t *testing.T, faults []string, err error, want string) {
	t.Helper()
	switch {
	case err != nil:
		t.Fatal(err)
	case want == "" && len(faults) > 0:
		t.Errorf("faults: %q", faults)
	case want != "" && (len(faults) != 1 || !strings.Contains(faults[0], want)):
		t.Errorf("%q instead of one that says %q", faults, want)
	}
}

const (
	variableA = "variable \"a\" {\n  description = \"a\"\n}\n"
	outputA   = "output \"a\" {\n  description = \"a\"\n  value = var.a\n}\n"
)

func TestFaultsOfAModule(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"what is declared and used":                  {variableA + outputA, ""},
		"a variable without description":             {"variable \"a\" {}\n" + outputA, "main.tf:1: the variable a has no description"},
		"a description that is empty":                {"variable \"a\" {\n  description = \" \"\n}\n" + outputA, "the variable a has no description"},
		"an output without description":              {variableA + "output \"b\" {\n  value = var.a\n}\n", "main.tf:4: the output b has no description"},
		"a variable that nothing uses":               {variableA, "main.tf:1: nothing uses var.a"},
		"a local value that nothing uses":            {"locals {\n  b = 1\n}\n", "main.tf:2: nothing uses local.b"},
		"a data source that nothing uses":            {"data \"google_project\" \"this\" {}\n", "nothing uses data.google_project.this"},
		"a resource that nothing refers to is there": {"resource \"google_pubsub_topic\" \"this\" {}\n", ""},
		"a variable that is not declared":            {"locals {\n  b = var.a\n  c = local.b\n  d = local.c\n}\nresource \"x_y\" \"z\" {\n  d = local.d\n}\n", "main.tf:2: nothing declares var.a"},
		"a resource that is not declared":            {"resource \"x_y\" \"z\" {\n  a = x_y.other[0].id\n}\n", "main.tf:2: nothing declares x_y.other"},
		"a data source that is not declared":         {"resource \"x_y\" \"z\" {\n  a = data.x_y.z.id\n}\n", "main.tf:2: nothing declares data.x_y.z"},
		"one thing twice":                            {variableA + variableA + outputA, "main.tf:4: var.a is declared at"},
		"a reference inside of a text":               {"resource \"x_y\" \"z\" {\n  a = \"b-${var.c}\"\n}\n", "nothing declares var.c"},
		"a reference inside of a nested block":       {"resource \"x_y\" \"z\" {\n  b {\n    c = var.d\n  }\n}\n", "main.tf:3: nothing declares var.d"},
		"a variable of a for expression":             {"locals {\n  b = [for v in [1] : v]\n}\nresource \"x_y\" \"z\" {\n  a = local.b\n}\n", ""},
		"the element of a dynamic block":             {"resource \"x_y\" \"z\" {\n  dynamic \"b\" {\n    for_each = [1]\n    content {\n      c = b.value\n    }\n  }\n}\n", ""},
		"the element of a dynamic block by its name": {"resource \"x_y\" \"z\" {\n  dynamic \"b\" {\n    for_each = [1]\n    iterator = i\n    content {\n      c = i.value\n    }\n  }\n}\n", ""},
		"an element outside of its dynamic block":    {"resource \"x_y\" \"z\" {\n  dynamic \"b\" {\n    for_each = [b.value]\n    content {}\n  }\n}\n", "main.tf:3: nothing declares b.value"},
		"names that are Terraform's own":             {"resource \"x_y\" \"z\" {\n  provider = x-beta\n  for_each = {}\n  a = each.key\n  b = path.module\n  c = terraform.workspace\n  lifecycle {\n    ignore_changes = [tags]\n  }\n}\n", ""},
		"types are no references":                    {"variable \"a\" {\n  description = \"a\"\n  type = map(object({ b = optional(string) }))\n}\n" + outputA, ""},
		"a data source of a check":                   {"check \"c\" {\n  data \"x_y\" \"z\" {}\n  assert {\n    condition = data.x_y.z.ok\n    error_message = \"e\"\n  }\n}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			faults, err := written(t, c.text, nil).faults()
			only(t, faults, err, c.want)
		})
	}
}

func TestFaultsOfCalls(t *testing.T) {
	called := map[string]string{"sub/main.tf": variableA + "variable \"b\" {\n  description = \"b\"\n  default = 1\n}\n" + outputA}
	for name, c := range map[string]struct{ text, want string }{
		"all that is required":              {"module \"m\" {\n  source = \"./sub\"\n  a = 1\n}\n", ""},
		"what is required is missing":       {"module \"m\" {\n  source = \"./sub\"\n  b = 1\n}\n", "main.tf:1: module m: the variable a of ./sub is not given"},
		"a variable that is not there":      {"module \"m\" {\n  source = \"./sub\"\n  a = 1\n  c = 1\n}\n", "main.tf:4: module m: ./sub has no variable c"},
		"Terraform's own arguments":         {"module \"m\" {\n  source = \"./sub\"\n  a = 1\n  providers = { google = google }\n  depends_on = []\n}\n", ""},
		"a module from elsewhere":           {"module \"m\" {\n  source = \"terraform-aws-modules/kms/aws\"\n}\n", "its source \"terraform-aws-modules/kms/aws\" is not in this repository"},
		"an output that is not there":       {"module \"m\" {\n  source = \"./sub\"\n  a = 1\n}\nresource \"x_y\" \"z\" {\n  b = module.m.c\n}\n", "main.tf:6: ./sub has no output c"},
		"an output of one of several calls": {"module \"m\" {\n  source = \"./sub\"\n  count = 1\n  a = 1\n}\nresource \"x_y\" \"z\" {\n  b = module.m[0].a\n}\n", ""},
		"a call that nothing declares":      {"resource \"x_y\" \"z\" {\n  b = module.m.c\n}\n", "nothing declares module.m"},
	} {
		t.Run(name, func(t *testing.T) {
			faults, err := written(t, c.text, called).faults()
			only(t, faults, err, c.want)
		})
	}
}

func TestWhatDoesNotParse(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a folder without a module": {"README.md": "x"},
		"an open block":             {"main.tf": "variable \"a\" {\n"},
		"a broken test":             {"main.tf": variableA, "tests/a.tftest.hcl": "run {{\n"},
	} {
		dir := t.TempDir()
		for f, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := parse(dir); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}
