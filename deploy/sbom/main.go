// Sbom writes what is linked into a program as a bill of materials in
// CycloneDX's JSON (https://cyclonedx.org/docs/1.6/json/): each Go module with
// its version and checksum, the standard library and how it was built. It
// reads the program itself and not go.mod, so that the bill is of what is
// shipped.
//
// It has no serial number and no time, so that the same program gives the same
// bytes; the program's own SHA-256 says which one it is of.
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: sbom OUT PROGRAM VERSION; VERSION is that of the program's own module")
	}
	program, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("%s does not say what was linked into it: %w", args[1], err)
	}
	bom, err := bill(info, sha256.Sum256(program), args[2])
	if err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return err
	}
	return os.WriteFile(args[0], out.Bytes(), 0o644)
}

// bill describes a program by what the Go linker wrote into it.
func bill(info *debug.BuildInfo, sum [sha256.Size]byte, version string) (*cdx.BOM, error) {
	main := component(cdx.ComponentTypeApplication, info.Main.Path, version)
	main.PackageURL += "#" + strings.TrimPrefix(info.Path, info.Main.Path+"/")
	main.BOMRef = main.PackageURL
	main.Hashes = sha(sum[:])
	main.Properties = &[]cdx.Property{}
	for _, s := range info.Settings {
		*main.Properties = append(*main.Properties, cdx.Property{Name: "byokwatch:build:" + strings.TrimPrefix(s.Key, "-"), Value: s.Value})
	}

	// The standard library is a part like any other, as vulnerability databases see it:
	// https://go.dev/doc/security/vuln/database
	parts := []cdx.Component{component(cdx.ComponentTypeLibrary, "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, m := range info.Deps {
		if m.Replace != nil {
			return nil, fmt.Errorf("%s is replaced by %s, which nobody else can fetch", m.Path, m.Replace.Path)
		}
		sum, err := decode(m.Sum)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		part := component(cdx.ComponentTypeLibrary, m.Path, m.Version)
		part.Hashes = sha(sum)
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b cdx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })

	// Which module needs which the program does not say: it needs them all.
	refs := make([]string, len(parts))
	all := []cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	for i, p := range parts {
		refs[i] = p.BOMRef
		all = append(all, cdx.Dependency{Ref: p.BOMRef})
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Component: &main,
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "byokwatch/deploy/sbom", Version: version}}},
	}
	bom.Components, bom.Dependencies = &parts, &all
	return bom, nil
}

// decode reads a module's sum, a SHA-256 in base64 after the name of the method:
// https://go.dev/ref/mod#go-sum-files
func decode(sum string) ([]byte, error) {
	text, ok := strings.CutPrefix(sum, "h1:")
	data, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(data) != sha256.Size {
		return nil, fmt.Errorf("the sum %q is none of go.sum", sum)
	}
	return data, nil
}

// component is named as Go modules are, in lower case, with its own name beside it:
// https://github.com/package-url/purl-spec/blob/main/types-doc/golang-definition.md
func component(kind cdx.ComponentType, module, version string) cdx.Component {
	purl := "pkg:golang/" + strings.ToLower(module) + "@" + url.QueryEscape(version)
	return cdx.Component{BOMRef: purl, Type: kind, Name: module, Version: version, PackageURL: purl}
}

func sha(sum []byte) *[]cdx.Hash {
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
}
