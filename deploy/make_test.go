package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stub stands for every program that a deployment runs: it records how it was
// called, fails where it is told to, and leaves what the next step looks for.
const stub = `#!/bin/sh
call="$(basename "$0") $*"
printf '%s\n' "$call" >> "$STUBS/calls"
case "$call" in $FAIL) exit 1;; esac
case "$call" in
"go run ./cmd/byokwatch config deployment "*) echo '{"cloud":"stub"}';;
"go build -o dist/tools/ "*) cp "$0" dist/tools/archive && cp "$0" dist/tools/sbom;;
"npm ci --prefix dist/tools/cdk "*) mkdir -p dist/tools/cdk/node_modules/.bin && cp "$0" dist/tools/cdk/node_modules/.bin/cdk;;
esac
`

// attempt is one use of make with those programs.
type attempt struct {
	target string
	args   []string // variables of make
	answer string   // what is typed
	fail   string   // a pattern of the call that fails
}

// done are the calls of an attempt in their order, but for how the package is
// made; what was said, and whether make succeeded.
type done struct {
	calls []string
	said  string
	ok    bool
	dir   string
}

func try(t *testing.T, a attempt) done {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "go.mod", "CHANGELOG.md"} {
		put(t, filepath.Join(dir, name), string(read(t, "../"+name)), 0o644)
	}
	for _, name := range []string{"deploy/aws/cdk/package.json", "deploy/aws/cdk/package-lock.json", "deploy/gcp/example/main.tf", "deploy/azure/example/main.tf", "mine/main.tf"} {
		put(t, filepath.Join(dir, name), "", 0o644)
	}
	for _, name := range []string{"go", "node", "npm", "terraform", "sha256sum"} {
		put(t, filepath.Join(dir, "stubs", name), stub, 0o755)
	}
	put(t, filepath.Join(dir, "dist/tools/.here"), "", 0o644)
	cmd := exec.Command("make", append([]string{a.target}, a.args...)...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(a.answer)
	cmd.Env = append(environ(), "PATH="+filepath.Join(dir, "stubs")+string(os.PathListSeparator)+os.Getenv("PATH"), "STUBS="+dir, "FAIL="+a.fail)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	calls, _ := os.ReadFile(filepath.Join(dir, "calls")) // none where nothing was called
	d := done{said: string(out), ok: err == nil, dir: dir}
	for call := range strings.Lines(strings.ReplaceAll(string(calls), dir+"/", "")) {
		call = strings.TrimSpace(call)
		if strings.HasPrefix(call, "node -e ") {
			call = "node -e" // what it says is TestRemovalsSayWhatStays
		}
		switch packaging := regexp.MustCompile(`^(archive|sbom|sha256sum|go build) `); {
		case packaging.MatchString(call) && !slices.Contains(d.calls, "package"):
			d.calls = append(d.calls, "package")
		case !packaging.MatchString(call) && !strings.HasPrefix(call, "npm "):
			d.calls = append(d.calls, call)
		}
	}
	return d
}

// environ is the environment without what the make that runs this test, or
// somebody's shell, would tell the make that is tested.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CONFIG", "ACCOUNT", "REGION", "OPTIONS", "ROOT", "YES", "TERRAFORM", "CDK"}, name)
	})
}

func put(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// What each command does, in its order.
var (
	config  = []string{"CONFIG=byokwatch.yaml"}
	place   = []string{"CONFIG=byokwatch.yaml", "ACCOUNT=111122223333", "REGION=us-west-2", "OPTIONS=-c alarmTopic=arn:x"}
	inPlace = "go run ./cmd/byokwatch config deployment --cloud aws --account 111122223333 --region us-west-2 byokwatch.yaml"
	synth   = "cdk synth --quiet -c deployment=dist/deployment-aws.json -c package=dist/byokwatch-aws-arm64.zip -c alarmTopic=arn:x"
)

func terraformed(cloud, root, plan string) []string {
	return []string{
		"go run ./cmd/byokwatch config deployment --cloud " + cloud + " byokwatch.yaml",
		"package",
		"terraform -chdir=" + root + " init -input=false",
		"terraform -chdir=" + root + " plan -input=false " + plan + "-out=dist/" + cloud + ".tfplan",
		"terraform -chdir=" + root + " apply -input=false dist/" + cloud + ".tfplan",
	}
}

func TestDeploymentsShowAskAndAct(t *testing.T) {
	const destroying = "-destroy -target=module.byokwatch " // the store is a module of its own
	for target, c := range map[string]struct {
		args  []string
		calls []string
	}{
		"deploy-gcp":    {config, terraformed("gcp", "deploy/gcp/example", "")},
		"deploy-azure":  {append([]string{"ROOT=mine"}, config...), terraformed("azure", "mine", "")},
		"destroy-gcp":   {append([]string{"ROOT=mine"}, config...), terraformed("gcp", "mine", destroying)},
		"destroy-azure": {config, terraformed("azure", "deploy/azure/example", destroying)},
		"deploy-aws":    {place, []string{inPlace, "package", synth, "cdk diff --app ../../dist/cdk.out", "cdk deploy --app ../../dist/cdk.out --require-approval never"}},
		"destroy-aws":   {place, []string{inPlace, "package", synth, "node -e", "cdk destroy --app ../../dist/cdk.out --force"}},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			shown := c.calls[:len(c.calls)-1]
			for name, a := range map[string]attempt{"yes": {answer: "yes\n"}, "YES=1": {args: []string{"YES=1"}}} {
				a.target, a.args = target, append(a.args, c.args...)
				got := try(t, a)
				if !got.ok || !slices.Equal(got.calls, c.calls) {
					t.Errorf("%s: %q\nwant %q\n%s", name, got.calls, c.calls, got.said)
				}
				if root := regexp.MustCompile(`-chdir=(\S+)`).FindStringSubmatch(strings.Join(c.calls, " ")); root != nil {
					if text := string(read(t, filepath.Join(got.dir, root[1], "deployment.json"))); text != "{\"cloud\":\"stub\"}\n" {
						t.Errorf("%s: the root module has the deployment %q", name, text)
					}
				}
			}
			for _, answer := range []string{"no\n", "y\n", "\n", ""} {
				if got := try(t, attempt{target, c.args, answer, ""}); got.ok || !slices.Equal(got.calls, shown) || !strings.Contains(got.said, "Nothing was changed.") {
					t.Errorf("%q: %q, %s", answer, got.calls, got.said)
				}
			}
			// Whatever fails before the question, nothing follows it.
			for _, fail := range []string{"go run *", "sbom *", "cdk synth *", "cdk diff *", "node *", "terraform * init *", "terraform * plan *"} {
				i := slices.IndexFunc(shown, func(call string) bool {
					return call == "package" && fail == "sbom *" || regexp.MustCompile("^"+strings.ReplaceAll(fail, "*", ".*")).MatchString(call)
				})
				if i < 0 {
					continue
				}
				if got := try(t, attempt{target, c.args, "yes\n", fail}); got.ok || !slices.Equal(got.calls, shown[:i+1]) || strings.Contains(got.said, "Only yes") {
					t.Errorf("%s failed: %q, %s", fail, got.calls, got.said)
				}
			}
		})
	}
}

func TestDeploymentsSayWhatIsMissing(t *testing.T) {
	for missing, a := range map[string]attempt{
		"CONFIG":  {target: "deploy-gcp"},
		"CONFIG ": {target: "destroy-azure", args: []string{"CONFIG= "}},
		"ACCOUNT": {target: "deploy-aws", args: []string{"CONFIG=byokwatch.yaml", "REGION=us-west-2"}},
		"REGION":  {target: "destroy-aws", args: []string{"CONFIG=byokwatch.yaml", "ACCOUNT=111122223333"}},
	} {
		a.answer = "yes\n"
		got := try(t, a)
		if want := "make " + a.target + " needs " + strings.TrimSpace(missing) + ":"; got.ok || len(got.calls) > 0 || !strings.Contains(got.said, want) {
			t.Errorf("%s: %q, %s", missing, got.calls, got.said)
		}
	}
	// A deployment without the CDK's command line can't go on, although tests can.
	got := try(t, attempt{"deploy-aws", place, "yes\n", "npm *"})
	if want := []string{inPlace, "package"}; got.ok || !slices.Equal(got.calls, want) || !strings.Contains(got.said, "could not install the command line of the CDK") {
		t.Errorf("without npm: %q, %s", got.calls, got.said)
	}
}

// TestRemovalsSayWhatStays runs the Makefile's own words on the stack that the
// AWS deployment keeps as its golden.
func TestRemovalsSayWhatStays(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: no node on the PATH, which the CDK needs, too")
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "Makefile"), string(read(t, "../Makefile"))+"\nremoval:\n\t@"+node+" -e '$(REMOVAL)'\n", 0o644)
	put(t, filepath.Join(dir, "dist/cdk.out/Byokwatch.template.json"), string(read(t, "aws/testdata/enforce.json")), 0o644)
	put(t, filepath.Join(dir, "CHANGELOG.md"), "", 0o644)
	put(t, filepath.Join(dir, "go.mod"), "", 0o644)
	cmd := exec.Command("make", "removal")
	cmd.Dir, cmd.Env = dir, environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	resources := object(t, string(read(t, "aws/testdata/enforce.json")))["Resources"].(map[string]any)
	for id, r := range resources {
		kind, policy := r.(map[string]any)["Type"].(string), r.(map[string]any)["DeletionPolicy"]
		fate := "  goes  "
		if policy == "Retain" || policy == "RetainExceptOnCreate" {
			fate = "  stays "
		}
		if !strings.Contains(string(out), fate+kind+" "+id+"\n") {
			t.Errorf("nothing says %q in\n%s", fate+kind+" "+id, out)
		}
	}
	if stays := regexp.MustCompile(`(?m)^  stays AWS::S3::Bucket `); !stays.Match(out) || strings.Count(string(out), "\n") != len(resources) {
		t.Errorf("the store does not stay, or not everything is listed:\n%s", out)
	}
}
