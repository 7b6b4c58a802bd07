package gcpkms

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"byokwatch/core/pattern"
	"byokwatch/core/policy/truth"
)

// Bounds of what is evaluated. IAM itself takes far less: 12 logical operators.
//
// Source: https://cloud.google.com/iam/docs/conditions-overview#limits
const (
	maxExpression = 8 << 10 // bytes
	maxDepth      = 50
	maxCost       = 50_000
)

// language is CEL as IAM speaks it: its attributes, its functions, no macros.
// An attribute of which nothing is known is declared as well, so that an
// expression that names it has a meaning; anything else does not compile.
//
// Sources: https://cloud.google.com/iam/docs/conditions-attribute-reference,
// https://cloud.google.com/iam/docs/conditions-overview#structure
var language = sync.OnceValues(func() (*cel.Env, error) {
	resource, api := cel.OpaqueType("iam.Resource"), cel.OpaqueType("iam.Api")
	tag := func(name string, args ...*cel.Type) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload("resource_"+name, append([]*cel.Type{resource}, args...), cel.BoolType))
	}
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{DisableMacros: true, ExcludeFunctions: []*env.Function{
			env.NewFunction("matches"), env.NewFunction("dyn"), env.NewFunction("type"),
		}})),
		cel.ClearMacros(),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(maxDepth),
		cel.Variable("resource", resource), cel.Variable("api", api),
		cel.Variable("resource.name", cel.StringType), cel.Variable("resource.type", cel.StringType), cel.Variable("resource.service", cel.StringType),
		cel.Variable("request.time", cel.TimestampType),
		cel.Variable("request.path", cel.StringType), cel.Variable("request.host", cel.StringType),
		cel.Variable("request.auth.access_levels", cel.ListType(cel.StringType)), cel.Variable("request.auth.claims", cel.DynType),
		cel.Variable("destination.ip", cel.StringType), cel.Variable("destination.port", cel.IntType),
		tag("matchTag", cel.StringType, cel.StringType), tag("matchTagId", cel.StringType, cel.StringType),
		tag("hasTagKey", cel.StringType), tag("hasTagKeyId", cel.StringType),
		cel.Function("getAttribute", cel.MemberOverload("api_getAttribute", []*cel.Type{api, cel.StringType, cel.DynType}, cel.DynType)),
		cel.Function("hasOnly", cel.MemberOverload("list_hasOnly", []*cel.Type{cel.DynType, cel.ListType(cel.DynType)}, cel.BoolType)),
		cel.Function("extract", cel.MemberOverload("string_extract", []*cel.Type{cel.StringType, cel.StringType}, cel.StringType,
			cel.BinaryBinding(func(text, template ref.Val) ref.Val {
				t, ok := text.(types.String)
				u, also := template.(types.String)
				if !ok || !also {
					return types.NewErr("extract takes texts")
				}
				out, err := extract(string(t), string(u))
				if err != nil {
					return types.WrapErr(err)
				}
				return types.String(out)
			}))),
	)
})

// extract is IAM's function of that name: the part of text that stands where
// the template has its {name}. Text before and after it in the template is
// looked for from the left; without it the part begins or ends with the text. A
// template that does not fit gives "".
//
// Source: https://cloud.google.com/iam/docs/conditions-attribute-reference#extract
func extract(text, template string) (string, error) {
	before, rest, open := strings.Cut(template, "{")
	name, after, closed := strings.Cut(rest, "}")
	if !open || !closed || name == "" || strings.ContainsAny(after, "{}") || strings.Contains(before, "}") {
		return "", errors.New("extract takes a template with one {name}")
	}
	_, rest, found := strings.Cut(text, before)
	if !found {
		return "", nil
	}
	if after == "" {
		return rest, nil
	}
	part, _, found := strings.Cut(rest, after)
	if !found {
		return "", nil
	}
	return part, nil
}

// facts is what is known of a request when a condition is asked.
type facts struct {
	at   time.Time
	name string // of the resource; "" where it is not known
	kind string // resource.type
	// timeless makes the time unknown, where the dates of a policy can't be
	// listed.
	timeless bool
	// tagged hides all attributes, as in deny policies, whose conditions know
	// tags alone.
	tagged bool
}

// The values of a request to Cloud KMS. A key's version is asked for by the
// permission that changes it; all others are asked for on the key.
//
// Sources: https://cloud.google.com/iam/docs/conditions-resource-attributes,
// https://cloud.google.com/kms/docs/reference/permissions-and-roles
const (
	service     = "cloudkms.googleapis.com"
	typeKey     = service + "/CryptoKey"
	typeVersion = service + "/CryptoKeyVersion"
)

// expression is a condition, compiled when it is first asked: most bindings of
// a large policy are settled without theirs.
type expression struct {
	clause  *clause
	read    bool
	program cel.Program
	err     error // why it has no meaning here
	dates   []time.Time
	timed   bool // it turns on the time
	listed  bool // dates are all at which it may change
	// numbered says that it names, or may name, a project by its number, which
	// the key's name does not show.
	numbered bool
}

var byNumber = pattern.New(`projects/[0-9]+(?:/|"|'|$)|["'][0-9]{6,}["']`)

// mayBeTimed says that the expression names the time, without reading it.
func (x *expression) mayBeTimed() bool { return strings.Contains(x.clause.Expression, "time") }

// compile reads the expression, once.
func (x *expression) compile() {
	if x.read {
		return
	}
	x.read = true
	x.numbered = byNumber.MatchString(x.clause.Expression)
	lang, err := language()
	if err != nil {
		x.err = fmt.Errorf("the language of conditions: %w", err)
		return
	}
	if len(x.clause.Expression) > maxExpression {
		x.err = fmt.Errorf("it has %d bytes, more than %d", len(x.clause.Expression), maxExpression)
		return
	}
	ast, issues := lang.Compile(x.clause.Expression)
	if issues.Err() != nil {
		x.err = errors.New("it is not an expression as IAM documents them")
		return
	}
	if !ast.OutputType().IsExactType(cel.BoolType) && !ast.OutputType().IsExactType(cel.DynType) {
		x.err = errors.New("it is neither true nor false")
		return
	}
	x.dates, x.timed, x.listed = datesOf(ast)
	x.program, x.err = lang.Program(ast, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxCost))
}

// hidden are the attributes of which nothing is known, whatever the request.
var hidden = []string{
	"resource", "api", "request.path", "request.host", "request.auth.access_levels", "request.auth.claims", "destination.ip", "destination.port",
}

// holds evaluates a condition for a request; a nil one always holds.
func (x *expression) holds(f facts) truth.Truth {
	if x == nil {
		return truth.Yes
	}
	if x.compile(); x.err != nil {
		return truth.Unknown
	}
	vars := map[string]any{}
	unknowns := make([]*cel.AttributePatternType, 0, len(hidden)+4)
	for _, name := range hidden {
		unknowns = append(unknowns, cel.AttributePattern(name))
	}
	set := func(name string, value any, known bool) {
		if known && !f.tagged {
			vars[name] = value
			return
		}
		unknowns = append(unknowns, cel.AttributePattern(name))
	}
	set("resource.type", f.kind, true)
	set("resource.service", service, true)
	set("resource.name", f.name, f.name != "" && !x.numbered)
	set("request.time", types.Timestamp{Time: f.at.UTC()}, !f.timeless && x.listed && !f.at.IsZero())
	partial, err := cel.PartialVars(vars, unknowns...)
	if err != nil {
		return truth.Unknown
	}
	out, _, err := x.program.Eval(partial)
	if err != nil {
		return truth.Unknown
	}
	if b, ok := out.(types.Bool); ok {
		return truth.Known(bool(b))
	}
	return truth.Unknown
}
