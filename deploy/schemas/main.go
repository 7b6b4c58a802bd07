// Command schemas lets Terraform be checked offline. It keeps, beside its
// sources, what the Google Cloud, Azure and AWS providers accept, for the types
// that this project's modules use, and is two things:
//
//   - under the name terraform-provider-google, -google-beta, -azurerm or -aws, a provider
//     that serves that schema and does nothing else;
//   - `go run -C deploy/schemas . extract`: what writes their .json
//     files, each time a module uses a new type.
//
// The schemas are facts read from the npm packages of the provider bindings for
// CDK for Terraform, which HashiCorp and the CDK Terrain project generate from
// `terraform providers schema -json` and publish under the Mozilla Public
// License 2.0. Only names, types and nesting are kept, no text. What the
// packages do not tell is not checked: patterns and lists of allowed values,
// which arguments exclude each other, how many blocks there may be beyond
// "one" and "any number". The newest packages for Google Cloud hold version 6 of
// its providers, where the module asks for 7: additions.json has what 7 brought,
// and arguments that 7 no longer takes would not be noticed here. (There are
// none in the module: the npm package @pulumi/gcp 9.37.0, made from version 7,
// has all that it uses.)
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	program := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if name, ok := strings.CutPrefix(program, "terraform-provider-"); ok {
		return serve(name, os.Getenv("BYOKWATCH_PLAN") == "named", os.Getenv("BYOKWATCH_COMPUTED"))
	}
	if len(args) < 2 || args[1] != "extract" {
		return fmt.Errorf("usage: schemas extract [-packages DIR] [-out DIR] [-modules DIR]; as a provider it is called terraform-provider-NAME")
	}
	return extract(args[2:])
}
