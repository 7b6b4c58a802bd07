package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
)

// lines prints a template with one line for each parameter, condition and
// resource, so that it is small and a change of it can be read.
func lines(t *testing.T, template map[string]any) []byte {
	t.Helper()
	var out bytes.Buffer
	write := func(v any) {
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		must(t, e.Encode(v))
		out.Truncate(out.Len() - 1) // the encoder's newline
	}
	out.WriteString("{\n")
	for i, section := range slices.Sorted(maps.Keys(template)) {
		if i > 0 {
			out.WriteString(",\n")
		}
		write(section)
		out.WriteString(":")
		entries, ok := template[section].(map[string]any)
		if !ok {
			write(template[section])
			continue
		}
		out.WriteString("{\n")
		for j, name := range slices.Sorted(maps.Keys(entries)) {
			if j > 0 {
				out.WriteString(",\n")
			}
			write(name)
			out.WriteString(":")
			write(entries[name])
		}
		out.WriteString("\n}")
	}
	out.WriteString("\n}\n")
	return out.Bytes()
}

// substituted writes joined texts the short way: {"Fn::Sub": "a${B}"} in place of
// {"Fn::Join": ["", ["a", {"Ref": "B"}]]}.
func substituted(v any) any {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			v[i] = substituted(e)
		}
	case map[string]any:
		for k, e := range v {
			v[k] = substituted(e)
		}
		if parts, ok := get(v, "Fn::Join", 1).([]any); ok && get(v, "Fn::Join", 0) == "" {
			return joined(v, parts)
		}
	}
	return v
}

func joined(whole any, parts []any) any {
	var out strings.Builder
	for _, p := range parts {
		text, plain := p.(string)
		name, ref := get(p, "Ref").(string)
		attribute := texts(get(p, "Fn::GetAtt"))
		part, nested := get(p, "Fn::Sub").(string)
		switch {
		case plain && !strings.Contains(text, "${"):
			out.WriteString(text)
		case ref:
			out.WriteString("${" + name + "}")
		case len(attribute) == 2:
			out.WriteString("${" + attribute[0] + "." + attribute[1] + "}")
		case nested:
			out.WriteString(part)
		default:
			return whole
		}
	}
	return map[string]any{"Fn::Sub": out.String()}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code makes. If the change is meant: go test -run '^TestGolden' -update ./deploy/aws, and read the difference", file)
	}
}

// whole is a template as the CDK makes it.
func whole(t *testing.T, ofTemplate *map[string]any) map[string]any {
	t.Helper()
	var out map[string]any
	must(t, json.Unmarshal(jsonOf(t, *ofTemplate), &out))
	return out
}

func TestGoldenOfTheTemplate(t *testing.T) {
	stack, err := newTemplate(newApp(t), sources(t))
	must(t, err)
	got := lines(t, substituted(whole(t, assertions.Template_FromStack(stack, nil).ToJSON())).(map[string]any))
	// Larger ones can't be given to CloudFormation directly:
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
	if len(got) > 51_200 {
		t.Errorf("the template has %d bytes, CloudFormation takes 51,200", len(got))
	}
	golden(t, "byokwatch.template.json", got)
}

// TestCloudFormationKnowsWhatTheTemplatesSay asks AWS's own linter, where there
// is one, which has the schemas of all resources.
func TestCloudFormationKnowsWhatTheTemplatesSay(t *testing.T) {
	linter, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("SKIPPED: no cfn-lint on the PATH: the templates are not held against CloudFormation's schemas")
	}
	// W1030 minds that SigningKey may be empty, where a condition sees to it that
	// it is not used.
	for _, file := range []string{"byokwatch.template.json", "testdata/observe.json", "testdata/enforce.json"} {
		if out, err := exec.Command(linter, "--ignore-checks", "W1030", "--template", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

func TestGoldensOfConcreteStacks(t *testing.T) {
	for name, make := range map[string]func() (Deployment, Options){
		"observe": func() (Deployment, Options) { return observing(t), options(t) },
		"enforce": func() (Deployment, Options) { return fixture(t), everything(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d, o := make()
			golden(t, "testdata/"+name+".json", lines(t, whole(t, assertions.Template_FromStack(stackOf(t, d, o), nil).ToJSON())))
		})
	}
}
