package deploytest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// configureProviders gives the module in dir, which somebody else's root would
// configure, the least configuration of each provider that it has none of.
// Schemas are looked up in the repository at root.
func configureProviders(root, dir string) error {
	m, err := parse(dir)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, b := range m.Of("provider") {
		there[name(b)] = true
	}
	var out strings.Builder
	for _, terraform := range m.Of("terraform") {
		for _, required := range terraform.Body.Blocks {
			if required.Type != "required_providers" {
				continue
			}
			for _, provider := range slices.Sorted(maps.Keys(required.Body.Attributes)) {
				if there[provider] {
					continue
				}
				s, err := loadSchema(filepath.Join(root, "deploy", "schemas"), provider)
				if err != nil {
					return err
				}
				fmt.Fprintf(&out, "provider %q {\n", provider)
				for _, block := range slices.Sorted(maps.Keys(s.ConfigSchema.Block.NestedBlocks)) {
					if s.ConfigSchema.Block.NestedBlocks[block].MinItems > 0 {
						fmt.Fprintf(&out, "  %s {}\n", block)
					}
				}
				out.WriteString("}\n")
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "deploytest_providers.tf"), []byte(out.String()), 0o600)
}
