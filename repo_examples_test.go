package byokwatch_test

import (
	"fmt"
	"strings"
	"testing"

	"byokwatch/core/alert"
)

// TestEachRuleCanFail shows every rule something that breaks it, beside
// something close that does not.
func TestEachRuleCanFail(t *testing.T) {
	imports := func(room string, deps ...string) func() []string {
		return func() []string {
			all := []pkg{{ImportPath: module + "/" + room, Deps: deps, Imports: deps}, {ImportPath: "net/http", Standard: true}}
			return importFaults(all)
		}
	}
	file := func(rule func([]source) []string, name, text string) func() []string {
		return func() []string { return rule([]source{{name, text}}) }
	}
	readme := func(text string) func() []string {
		return func() []string {
			d := source{"docs/a.md", text}
			return append(commandFaults(d, "build: ## x\nbuild-all: ## y\n"), linkFaults(d, func(n string) bool { return n == "docs/b.md" })...)
		}
	}
	mods := func(versions ...string) func() []string {
		var all []source
		for i, v := range versions {
			all = append(all, source{fmt.Sprint(i, "/go.mod"), "module x\n\ngo " + v + "\n"})
		}
		return func() []string { return modFaults(all) }
	}
	untested := func(modules string) func() []string {
		return func() []string {
			return untestedFaults([]source{{"go.mod", ""}, {"deploy/a/go.mod", ""}}, "X := deploy/a\nMODULES := "+modules+"\n")
		}
	}
	runbook := func(text string) func() []string {
		return func() []string { return runbookFaults(text, []alert.Code{"locked-out"}) }
	}
	const doc = "// Package a says at length what it is for.\npackage a\n"
	for name, c := range map[string]struct{ bad, good func() []string }{
		"the vocabulary is the standard library alone": {imports("core", "gopkg.in/yaml.v3"), imports("core", "net/http")},
		"the core has no SDK":                          {imports("core/record/dirstore", "github.com/aws/smithy-go"), imports("core/record/dirstore", module+"/core")},
		"the core does not know the functions":         {imports("core/watchdog", module+"/functions/aws/kms"), imports("core/watchdog", module+"/core/record")},
		"a judge does not know the network":            {imports("core/policy/awskms", "net/http"), imports("core/policy/awskms", module+"/core/strict")},
		"a judge does not know another one":            {imports("core/policy/azurekv", module+"/core/policy/gcpkms"), imports("core/policy/azurekv", module+"/core/policy/truth")},
		"a tool of the judges knows none of them":      {imports("core/policy/truth", module+"/core/policy/awskms"), imports("core/policy/stored", module+"/core/strict")},
		"what adapters share knows no SDK":             {imports("functions/adapter", sdkAWS+"smithy-go"), imports("functions/adapter", "github.com/cenkalti/backoff/v5")},
		"a tool knows nobody who uses it":              {imports("core/rawjson", module+"/core/policy/truth"), imports("core/rawjson", module+"/core/strict")},
		"the loop does not know a cloud":               {imports("core/watchdog", module+"/core/policy/awskms"), imports("cmd/byokwatch", module+"/core/policy/awskms")},
		"the loop does not know a channel":             {imports("core/watchdog", module+"/core/notify"), imports("core/watchdog", module+"/core/alert")},
		"the catalogue does not send":                  {imports("core/alert", "net/http"), imports("core/notify", "net/http")},
		"configuration does not act":                   {imports("core/config", module+"/core/watchdog"), imports("core/config", module+"/core/record")},
		"an adapter does not decide":                   {imports("functions/aws/kms", module+"/core/watchdog"), imports("functions/aws/kms", sdkAWS+"aws-sdk-go-v2")},
		"an adapter for Azure does not decide":         {imports("functions/azure/keyvault", module+"/core/watchdog"), imports("functions/azure/keyvault", "github.com/Azure/azure-sdk-for-go/sdk/azcore")},
		"an adapter of the store knows no policy":      {imports("functions/azure/blobstore", module+"/core/policy/azurekv"), imports("functions/azure/blobstore", module+"/core/record")},
		"a function has one cloud":                     {imports("functions/aws", "github.com/Azure/azure-sdk-for-go/sdk/azcore"), imports("functions/aws", sdkAWS+"aws-lambda-go")},
		"what every main links is no cloud's own":      {imports("functions/wiring", module+"/core/policy/gcpkms"), imports("functions/wiring", module+"/core/watchdog")},
		"the function for Azure has one cloud":         {imports("functions/azure", sdkAWS+"aws-lambda-go"), imports("functions/azure", "github.com/Azure/azure-sdk-for-go/sdk/azidentity")},
		"a door links no SDK":                          {imports("functions/azure/eventgrid", "github.com/Azure/azure-sdk-for-go/sdk/messaging"), imports("functions/azure/eventgrid", module+"/core/loose")},
		"a door does not store":                        {imports("functions/gcp/auditlog", module+"/core/record"), imports("functions/gcp/auditlog", module+"/core")},
		"only Google Cloud evaluates CEL":              {imports("functions/aws", "cel.dev/cel-go/cel"), imports("functions/gcp", "cel.dev/cel-go/cel")},
		"the core evaluates CEL in one place":          {imports("core/watchdog", "cel.dev/cel-go/cel"), imports("core/policy/gcpkms", "cel.dev/cel-go/cel")},
		"the core does not know its deployment":        {imports("core/config/deployment", module+"/deploy/deploytest"), imports("core/config/deployment", module+"/core/config")},
		"a deployment's description does not act":      {imports("core/config/deployment", "os/exec"), imports("core/config/deployment", "encoding/json")},
		"a function does not know its deployment":      {imports("functions/aws", module+"/deploy/archive"), imports("deploy/archive", "archive/zip")},
		"a function does not deploy":                   {imports("functions/wiring", "github.com/hashicorp/hcl/v2"), imports("deploy/deploytest", "github.com/hashicorp/hcl/v2")},
		"the command line does not deploy":             {imports("cmd/byokwatch", module+"/deploy/sbom"), imports("cmd/byokwatch", module+"/core/config/deployment")},
		"a deployment calls no cloud":                  {imports("deploy/sbom", sdkAWS+"aws-sdk-go-v2"), imports("deploy/sbom", "github.com/CycloneDX/cyclonedx-go")},
		"a function has no emulator":                   {imports("functions/aws", module+"/functions/aws/awstest"), imports("cmd/byokwatch", module+"/functions/aws/awstest")},
		"a function has no suite":                      {imports("functions/azure", module+"/core/watchdog/chaostest"), imports("cmd/byokwatch", module+"/core/watchdog/chaostest")},
		"nor what emulators share":                     {imports("functions/gcp", module+"/functions/emulatortest"), imports("functions/gcp/gcptest", module+"/functions/emulatortest")},
		"nobody imports a main":                        {imports("cmd/byokwatch", module+"/functions/aws"), imports("cmd/byokwatch", module+"/functions/aws/kms")},
		"a suite is for tests":                         {imports("core/notify", module+"/core/notify/notifytest"), imports("core/notify/notifytest", module+"/core/alert/alerttest")},
		"no clock in the core":                         {file(coreFaults, "core/a.go", doc+"import \"time\"\nvar x = time.Now()"), file(coreFaults, "core/a.go", doc+"// time.Now()\nvar x = \"time.Now()\"")},
		"no clock in disguise":                         {file(coreFaults, "core/a.go", doc+"import \"time\"\nvar now = time.Now"), file(coreFaults, "core/a.go", doc+"import \"time\"\nvar day = time.Hour")},
		"no environment in the core":                   {file(coreFaults, "core/a.go", doc+"import \"os\"\nfunc f() { os.Getenv(\"X\") }"), file(coreFaults, "core/a.go", doc+"type e struct{ Getenv int }\nfunc f(os e) int { return os.Getenv }")},
		"no global client in the core":                 {file(coreFaults, "core/a.go", doc+"import \"net/http\"\nvar c = http.DefaultClient"), file(coreFaults, "core/a.go", doc+"import \"net/http\"\nvar c http.Client")},
		"no init in the core":                          {file(coreFaults, "core/a.go", doc+"func init() {}"), file(coreFaults, "core/a.go", doc+"type t int\nfunc (t) init() {}")},
		"a long file":                                  {file(textFaults, "core/a.go", strings.Repeat("\n", longest)), file(textFaults, "core/a_test.go", strings.Repeat("\n", longest))},
		"a long Terraform file":                        {file(textFaults, "deploy/a/main.tf", strings.Repeat("\n", longest)), file(textFaults, "deploy/a/main.tf", "\n")},
		"something left for later in Terraform":        {file(textFaults, "deploy/a/tests/a.tftest.hcl", "# FIX"+"ME"), file(textFaults, "deploy/a/main.tf", "# prefix me")},
		"something left for later":                     {file(textFaults, "core/a_test.go", "// TO"+"DO: more"), file(textFaults, "core/a.go", "// mastodon")},
		"a folder that says nothing":                   {file(textFaults, "core/util/a.go", ""), file(textFaults, "core/utility/a.go", "")},
		"no package comment":                           {file(docFaults, "core/a.go", "package a"), file(docFaults, "core/a.go", doc)},
		"a package comment that says nothing":          {file(docFaults, "core/a.go", "// Package a.\npackage a"), file(docFaults, "core/a.go", doc)},
		"a replaced module":                            {file(modFaults, "go.mod", "module x\ngo 1.26\nreplace a => ../a\n"), file(modFaults, "go.mod", "module x\ngo 1.26\n// replace nothing\n")},
		"a module of another Go":                       {mods("1.26.8", "1.27.0"), mods("1.26.8", "1.26.8")},
		"a module that nobody tests":                   {untested("deploy/b"), untested("deploy/a deploy/x")},
		"a sentinel by another name":                   {file(sentinelFaults, "core/a.go", "var NotFound = errors.New(\"x\")"), file(sentinelFaults, "core/a.go", "var ErrNotFound = errors.New(\"x\")")},
		"a command that is not there":                  {readme("run `make cake` now"), readme("run `make build` now; we make sure")},
		"a command whose end is not there":             {readme("```\n  make build-cake CONFIG=a\n```"), readme("```\n  make build-all CONFIG=a\n```")},
		"a link to nowhere":                            {readme("[a](c.md)"), readme("[a](b.md#x) [b](https://x/y)")},
		"a target without help":                        {func() []string { return helpFaults("build: x\n") }, func() []string { return helpFaults("build: x ## y\nA := b\n") }},
		"a target of two words without help":           {func() []string { return helpFaults("build-all: x\n") }, func() []string { return helpFaults("build-all: ## y\nbuild-all build-some:\n") }},
		"an alert without a page":                      {runbook("# locked"), runbook("## locked-out\n")},
	} {
		if len(c.bad()) == 0 {
			t.Errorf("%s: the rule did not notice", name)
		}
		if faults := c.good(); len(faults) > 0 {
			t.Errorf("%s: the rule is wrong about %v", name, faults)
		}
	}
}
