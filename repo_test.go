// Package byokwatch_test holds the rules of the house as tests: who may import
// whom, what the core may not touch, and that the documents speak of what is
// there. Each rule is a function over a small description of the repository,
// and is tried on one that breaks it, so that a rule that can't fail is noticed.
package byokwatch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"byokwatch/core/alert"
)

// pkg is what `go list -deps -json ./...` says of a package.
type pkg struct {
	ImportPath   string
	Name         string
	Standard     bool
	Dir          string
	Deps         []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
}

const module = "byokwatch"

func (p pkg) ours() bool {
	return p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/")
}

// room is the package's path within the module.
func (p pkg) room() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

// list asks the go command once for everything.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Name,Standard,Dir,Deps,Imports,TestImports,XTestImports,GoFiles", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if n := len(slices.DeleteFunc(slices.Clone(all), func(p pkg) bool { return !p.ours() })); n < 15 {
		t.Fatalf("go list found only %d packages of ours", n)
	}
	return all
}

// ban is one line of the import table: what a room may never depend on, itself
// or through others, and why.
type ban struct {
	room string // path.Match over the room; ** at the end stands for everything below, too
	deps []string
	why  string
}

const (
	sdkAWS  = "github.com/aws/"
	sdkWhy  = "an SDK in the core could act, or wait, where only thinking is allowed"
	mainWhy = "a function links only its own cloud's SDK: the others are cold-start time"
	sdkCEL  = "cel.dev/"
	celWhy  = "conditions are evaluated by gcpkms alone: elsewhere CEL is cold-start time"
	keyWhy  = "an adapter reads documents, runs steps and decides nothing"
	bagWhy  = "an adapter of the store moves bytes"
	doorWhy = "the door makes Changes of bytes"
	toolWhy = "a tool knows nobody who uses it"
	ownWhy  = "each cloud is judged by itself"
)

var sdks = []string{sdkAWS, "github.com/Azure/", "cloud.google.com/", "google.golang.org/api", "google.golang.org/grpc"}

var (
	judges = []string{module + "/core/policy/awskms", module + "/core/policy/azurekv", module + "/core/policy/gcpkms"}
	loop   = []string{module + "/core/watchdog", module + "/core/config", module + "/core/notify"}
	door   = slices.Concat([]string{module + "/core/record"}, loop, sdks)
	users  = []string{module + "/core/alert/**", module + "/core/config", module + "/core/confluent", module + "/core/endpoint", module + "/core/notify/**", module + "/core/policy/**", module + "/core/record/**", module + "/core/watchdog/**"}
)

var bans = []ban{
	{"core/**", sdks, sdkWhy},
	{"core/**", []string{module + "/functions/**", module + "/cmd/**", module + "/deploy/**"}, "imports point inwards"},
	{"functions/**", []string{module + "/deploy/**", "github.com/hashicorp/", "github.com/CycloneDX/"}, "a function does not know how it came to where it runs"},
	{"cmd/**", []string{module + "/deploy/**", "github.com/hashicorp/", "github.com/CycloneDX/"}, "the command line prints what a deployment needs and deploys nothing"},
	{"deploy/**", sdks, "a deployment is described here; the clouds' own tools make it"},
	{"core/policy/**", []string{"net/http", module + "/core/watchdog", module + "/core/record", module + "/core/alert", module + "/core/config", module + "/core/notify"}, "a judge is pure and knows of policies alone"},
	{"core/record/**", []string{"net/http", module + "/core/policy/**", module + "/core/watchdog", module + "/core/notify", module + "/core/config"}, "what is stored knows nothing of who reads it"},
	{"core/policy/awskms", judges[1:], ownWhy},
	{"core/policy/azurekv", []string{judges[0], judges[2]}, ownWhy},
	{"core/policy/gcpkms", judges[:2], ownWhy},
	{"core/policy/compare", judges, toolWhy},
	{"core/policy/expiry", judges, toolWhy},
	{"core/policy/stored", judges, toolWhy},
	{"core/policy/truth", judges, toolWhy},
	{"core/policy/wording", judges, toolWhy},
	{"core/loose", users, toolWhy},
	{"core/pattern", users, toolWhy},
	{"core/rawjson", users, toolWhy},
	{"core/share", users, toolWhy},
	{"core/strict", users, toolWhy},
	{"core/watchdog/**", judges, "the loop is the same for every cloud"},
	{"core/watchdog/**", []string{module + "/core/notify/**"}, "the loop speaks to a Notifier and knows no channel"},
	{"core/alert/**", []string{"net/http", module + "/core/record", module + "/core/watchdog", module + "/core/notify"}, "the catalogue is data; sending it is somebody else's"},
	{"core/config/**", []string{"net/http", "os/exec", module + "/core/watchdog", module + "/core/notify", module + "/core/policy/**"}, "configuration is bytes in, settings out"},
	{"functions/aws/kms", loop, keyWhy},
	{"functions/aws/s3store", slices.Concat(loop, []string{module + "/core/policy/**"}), bagWhy},
	{"functions/aws/cloudtrail", door, doorWhy},
	{"functions/azure/keyvault", loop, keyWhy},
	{"functions/azure/blobstore", slices.Concat(loop, []string{module + "/core/policy/**"}), bagWhy},
	{"functions/azure/eventgrid", door, doorWhy},
	{"functions/gcp/cloudkms", slices.Concat(loop, []string{sdkCEL}), keyWhy},
	{"functions/gcp/gcsstore", slices.Concat(loop, []string{module + "/core/policy/**", sdkCEL}), bagWhy},
	{"functions/gcp/auditlog", slices.Concat(door, []string{sdkCEL}), doorWhy},
	{"functions/aws", append([]string{module + "/functions/azure/**", module + "/functions/gcp/**"}, sdks[1:]...), mainWhy},
	{"functions/azure", []string{sdkAWS, "cloud.google.com/", "google.golang.org/api", module + "/functions/aws/**", module + "/functions/gcp/**"}, mainWhy},
	{"functions/gcp", []string{sdkAWS, "github.com/Azure/", module + "/functions/aws/**", module + "/functions/azure/**"}, mainWhy},
	{"functions/adapter", slices.Concat(users, sdks, []string{sdkCEL}), toolWhy},
	{"functions/wiring", append([]string{module + "/functions/**", module + "/core/policy/*", sdkCEL}, sdks...), "what every main links is no cloud's own: it would be cold-start time for the others"},
	{"functions/aws/**", []string{sdkCEL}, celWhy},
	{"functions/azure/**", []string{sdkCEL}, celWhy},
	{"core/watchdog/**", []string{sdkCEL}, celWhy},
	{"core/policy/awskms", []string{sdkCEL}, celWhy},
	{"core/policy/azurekv", []string{sdkCEL}, celWhy},
	{"functions/*", []string{module + "/functions/*test", module + "/functions/*/*test", module + "/cmd/**", module + "/core/*test", module + "/core/*/*test", module + "/core/*/*/*test", "testing"}, "what is shipped holds no emulator and no test"},
}

// covers is path.Match in which a last element ** stands for any depth, none
// included. A pattern that ends in / or is a foreign module is a prefix.
func covers(pattern, name string) bool {
	if base, deep := strings.CutSuffix(pattern, "/**"); deep {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	if ok, err := path.Match(pattern, name); err == nil && ok {
		return true
	}
	foreign := strings.Contains(pattern, ".") && !strings.HasPrefix(pattern, module+"/")
	return foreign && strings.HasPrefix(name+"/", strings.TrimSuffix(pattern, "/")+"/")
}

func importFaults(all []pkg) []string {
	var out []string
	standard := map[string]bool{}
	for _, p := range all {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range all {
		if !p.ours() {
			continue
		}
		if p.room() == "core" {
			for _, dep := range p.Deps {
				if !standard[dep] {
					out = append(out, fmt.Sprintf("core depends on %s: the vocabulary is the standard library alone", dep))
				}
			}
		}
		for _, b := range bans {
			if !covers(b.room, p.room()) || isTestHelper(p.room()) {
				continue
			}
			for _, dep := range p.Deps {
				if slices.ContainsFunc(b.deps, func(d string) bool { return covers(d, dep) }) {
					out = append(out, fmt.Sprintf("%s depends on %s: %s", p.room(), dep, b.why))
				}
			}
		}
		out = append(out, directFaults(p)...)
	}
	return out
}

// directFaults looks at a package's own imports: mains are imported by nobody,
// emulators by tests and the local stack.
func directFaults(p pkg) []string {
	var out []string
	for _, imp := range p.Imports {
		room := strings.TrimPrefix(imp, module+"/")
		switch {
		case slices.Contains([]string{"functions/aws", "functions/azure", "functions/gcp"}, room):
			out = append(out, fmt.Sprintf("%s imports %s: nobody imports a main", p.room(), room))
		case isTestHelper(room) && room != imp && !covers("cmd/byokwatch/**", p.room()) && !isTestHelper(p.room()):
			out = append(out, fmt.Sprintf("%s imports %s: emulators and suites are for tests and the local stack", p.room(), room))
		}
	}
	return out
}

// isTestHelper knows suites and emulators by the name that they all carry.
func isTestHelper(room string) bool {
	base := path.Base(room)
	return strings.HasSuffix(base, "test") && base != "test"
}

func TestImportsPointInwards(t *testing.T) { none(t, importFaults(list(t))) }

func none(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

// source is one Go file that is not a test.
type source struct {
	name string // slash path from the root
	text string
}

// sources returns every file of ours that keep wants.
func sources(t *testing.T, keep func(name string) bool) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "dist" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !keep(filepath.ToSlash(name)) {
			return nil
		}
		data, err := os.ReadFile(name)
		out = append(out, source{filepath.ToSlash(name), string(data)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("no file found")
	}
	return out
}

func goFile(name string) bool { return strings.HasSuffix(name, ".go") }
func terraform(name string) bool {
	return strings.HasSuffix(name, ".tf") || strings.HasSuffix(name, ".hcl")
}
func shipped(name string) bool { return goFile(name) && !strings.HasSuffix(name, "_test.go") }

// outside are what the core may not touch: it is given a clock, an environment
// and a client.
var outside = map[string]string{
	"time.Now": "pass Now in", "time.Sleep": "wait on the context", "time.Since": "pass Now in", "time.Until": "pass Now in",
	"os.Getenv": "pass the value in", "os.LookupEnv": "pass the value in", "os.Environ": "pass the value in",
	"http.DefaultClient": "pass a client in", "http.DefaultTransport": "pass a client in", "http.Get": "pass a client in", "http.Post": "pass a client in",
	"log.Printf": "return an error", "log.Println": "return an error", "log.Fatal": "return an error", "os.Exit": "return an error",
	"slog.Default": "pass a logger in", "slog.Info": "pass a logger in", "slog.Warn": "pass a logger in", "slog.Error": "pass a logger in",
}

// coreFaults reads the syntax, so that a comment or a text is no fault.
func coreFaults(files []source) []string {
	var out []string
	for _, f := range files {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, f.name, f.text, 0)
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		at := func(n ast.Node) string { return fmt.Sprintf("%s:%d", f.name, set.Position(n.Pos()).Line) }
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					out = append(out, at(n)+": init(): construct where it is used")
				}
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if why := ""; ok && x.Obj == nil {
					if why, ok = outside[x.Name+"."+n.Sel.Name]; ok {
						out = append(out, fmt.Sprintf("%s: %s.%s: %s", at(n), x.Name, n.Sel.Name, why))
					}
				}
			}
			return true
		})
	}
	return out
}

func TestCoreTouchesNothingOutside(t *testing.T) {
	none(t, coreFaults(sources(t, func(n string) bool {
		return shipped(n) && strings.HasPrefix(n, "core/") && !isTestHelper(path.Dir(n))
	})))
}

const longest = 450

var leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// textFaults are what a line tells without being parsed.
func textFaults(files []source) []string {
	var out []string
	for _, f := range files {
		lines := strings.Count(f.text, "\n")
		if (shipped(f.name) || terraform(f.name)) && lines >= longest {
			out = append(out, fmt.Sprintf("%s has %d lines, %d or more: split it", f.name, lines, longest))
		}
		if m := leftover.FindString(f.text); m != "" {
			out = append(out, fmt.Sprintf("%s: %s: do it, or say so in the documents", f.name, m))
		}
		for _, dir := range strings.Split(path.Dir(f.name), "/") {
			if slices.Contains([]string{"pkg", "util", "utils", "common", "types", "helpers", "misc"}, dir) {
				out = append(out, fmt.Sprintf("%s: a folder %s says nothing about what is in it", f.name, dir))
			}
		}
	}
	return out
}

func TestFilesAreShortAndFinished(t *testing.T) {
	none(t, textFaults(sources(t, func(n string) bool { return goFile(n) || terraform(n) })))
}

// docFaults wants one package comment, and one only, that says something.
func docFaults(files []source) []string {
	docs, seen := map[string]int{}, map[string]bool{}
	var out []string
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), f.name, f.text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		seen[path.Dir(f.name)] = true
		if file.Doc != nil {
			docs[path.Dir(f.name)]++
			if s := new(doc.Package).Synopsis(file.Doc.Text()); len(s) < 20 {
				out = append(out, fmt.Sprintf("%s: the package comment says only %q", f.name, s))
			}
		}
	}
	for dir := range seen {
		if docs[dir] != 1 {
			out = append(out, fmt.Sprintf("%s has %d package comments instead of one", dir, docs[dir]))
		}
	}
	slices.Sort(out)
	return out
}

func TestEachPackageSaysWhatItIsFor(t *testing.T) { none(t, docFaults(sources(t, shipped))) }

func TestGoModReplacesNothing(t *testing.T) {
	mods := sources(t, func(n string) bool { return path.Base(n) == "go.mod" })
	if len(mods) != 3 {
		t.Errorf("%d modules: the root's, that of deploy/aws and that of deploy/schemas are looked at", len(mods))
	}
	none(t, modFaults(mods))
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	none(t, untestedFaults(mods, string(makefile)))
}

// untestedFaults finds modules whose tests make test does not run: go test ./...
// passes over them.
func untestedFaults(mods []source, makefile string) []string {
	tested := strings.Fields(regexp.MustCompile(`(?m)^MODULES := (.*)$`).FindString(makefile))
	var out []string
	for _, m := range mods {
		if dir := path.Dir(m.name); dir != "." && !slices.Contains(tested, dir) {
			out = append(out, fmt.Sprintf("%s is not among the Makefile's MODULES: nobody tests it", dir))
		}
	}
	return out
}

var goVersion = regexp.MustCompile(`(?m)^go .*$`)

func modFaults(files []source) []string {
	var out []string
	for _, f := range files {
		if regexp.MustCompile(`(?m)^\s*(replace|exclude)\b`).MatchString(f.text) {
			out = append(out, f.name+": replace or exclude: what people build must be what we tested")
		}
		version := goVersion.FindString(f.text)
		if version == "" || version != goVersion.FindString(files[0].text) {
			out = append(out, fmt.Sprintf("%s has %q, and %s has %q: the modules of the repository are built by one Go", f.name, version, files[0].name, goVersion.FindString(files[0].text)))
		}
	}
	return out
}

// commandFaults finds make targets that a document names, in a code block or
// between backticks, and nobody made.
func commandFaults(doc source, makefile string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?m)(?:^|`|  )make ([a-z]+(?:-[a-z]+)*)").FindAllStringSubmatch(doc.text, -1) {
		if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(makefile) {
			out = append(out, fmt.Sprintf("%s names make %s, which the Makefile has not", doc.name, m[1]))
		}
	}
	return out
}

// linkFaults finds links to files that are not there.
func linkFaults(doc source, exists func(name string) bool) []string {
	var out []string
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(doc.text, -1) {
		if target := path.Join(path.Dir(doc.name), m[1]); !exists(target) {
			out = append(out, fmt.Sprintf("%s links to %s, which is not there", doc.name, target))
		}
	}
	return out
}

func TestDocumentsSpeakOfWhatIsThere(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	docs := sources(t, func(n string) bool { return strings.HasSuffix(n, ".md") })
	if !slices.ContainsFunc(docs, func(d source) bool { return d.name == "README.md" && strings.Contains(d.text, "make run") }) {
		t.Error("README.md does not name make run")
	}
	for _, d := range docs {
		none(t, commandFaults(d, string(makefile)))
		none(t, linkFaults(d, func(n string) bool { _, err := os.Stat(n); return err == nil }))
	}
	none(t, helpFaults(string(makefile)))
}

// helpFaults wants each target explained.
func helpFaults(makefile string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):([^\n=]*)$`).FindAllStringSubmatch(makefile, -1) {
		if !strings.Contains(m[2], "## ") {
			out = append(out, "the Makefile does not explain "+m[1])
		}
	}
	return out
}

// runbookFaults finds alerts that lead nowhere.
func runbookFaults(runbook string, codes []alert.Code) []string {
	var out []string
	for _, c := range codes {
		if !regexp.MustCompile(`(?m)^#+ ` + regexp.QuoteMeta(string(c)) + `\b`).MatchString(runbook) {
			out = append(out, fmt.Sprintf("docs/runbook.md has no heading for the alert %s", c))
		}
	}
	return out
}

func TestEachAlertHasItsPageInTheRunbook(t *testing.T) {
	runbook, err := os.ReadFile("docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var codes []alert.Code
	for _, e := range alert.Catalogue {
		codes = append(codes, e.Code)
	}
	if len(codes) < 30 {
		t.Errorf("the catalogue has only %d alerts", len(codes))
	}
	none(t, runbookFaults(string(runbook), codes))
}

// sentinelFaults wants errors that a package declares to be called Err….
func sentinelFaults(files []source) []string {
	declared := regexp.MustCompile(`(?m)^(?:var )?\s?(\w+)\s+= errors\.New\(`)
	var out []string
	for _, f := range files {
		for _, m := range declared.FindAllStringSubmatch(f.text, -1) {
			if !strings.HasPrefix(m[1], "Err") && !strings.HasPrefix(m[1], "err") {
				out = append(out, fmt.Sprintf("%s: the sentinel %s is not called Err…", f.name, m[1]))
			}
		}
	}
	return out
}

func TestSentinelsAreCalledErr(t *testing.T) { none(t, sentinelFaults(sources(t, shipped))) }
