package azure_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// This evaluates the few words of the Kusto query language that the alarms are
// written in, over the lines of a window. What it does not know fails the test.
// https://learn.microsoft.com/kusto/query/

type row map[string]any

type kql struct {
	t      *testing.T
	tables map[string][]row
}

// query runs a pipeline: a table, or a union of pipelines, then operators.
func (k kql) query(text string) []row {
	k.t.Helper()
	stages := split(text, '|')
	first := strings.TrimSpace(stages[0])
	var rows []row
	if rest, ok := strings.CutPrefix(first, "union"); ok {
		for _, part := range split(rest, ',') {
			rows = append(rows, k.query(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(part), "("), ")"))...)
		}
	} else if table, ok := k.tables[first]; ok {
		rows = table
	} else {
		k.t.Fatalf("no table %q", first)
	}
	for _, stage := range stages[1:] {
		name, args, _ := strings.Cut(strings.TrimSpace(stage), " ")
		switch name {
		case "where":
			var kept []row
			for _, r := range rows {
				if k.eval(args, r) == true {
					kept = append(kept, r)
				}
			}
			rows = kept
		case "extend", "project":
			rows = k.columns(rows, split(args, ','), name == "extend")
		case "summarize":
			rows = k.summarize(rows, args)
		default:
			k.t.Fatalf("the operator %q of %q is not known here", name, stage)
		}
	}
	return rows
}

func (k kql) columns(rows []row, columns []string, all bool) []row {
	var out []row
	for _, r := range rows {
		next := row{}
		if all {
			for name, v := range r {
				next[name] = v
			}
		}
		for _, c := range columns {
			name, expression := named(c)
			next[name] = k.eval(expression, r)
		}
		out = append(out, next)
	}
	return out
}

// summarize knows one aggregate: without "by" it makes one row, also of none.
func (k kql) summarize(rows []row, args string) []row {
	aggregate, by, grouped := strings.Cut(args, " by ")
	groups, order := map[any][]row{}, []any{}
	if !grouped {
		groups[nil], order = rows, []any{nil}
	}
	key, expression := named(by)
	for _, r := range rows {
		if grouped {
			v := k.eval(expression, r)
			if _, there := groups[v]; !there {
				order = append(order, v)
			}
			groups[v] = append(groups[v], r)
		}
	}
	var out []row
	for _, v := range order {
		next := row{}
		if grouped {
			next[key] = v
		}
		name, call := named(aggregate)
		function, inner, _ := strings.Cut(strings.TrimSuffix(call, ")"), "(")
		switch function {
		case "count":
			next[name] = float64(len(groups[v]))
		case "dcount":
			distinct := map[any]bool{}
			for _, r := range groups[v] {
				distinct[k.eval(inner, r)] = true
			}
			next[name] = float64(len(distinct))
		case "arg_max":
			by, take := named2(inner)
			for _, r := range groups[v] {
				if next[by] == nil || k.eval(by, r).(float64) > next[by].(float64) {
					next[by], next[take] = k.eval(by, r), k.eval(take, r)
				}
			}
		default:
			k.t.Fatalf("the aggregate %q is not known here", call)
		}
		out = append(out, next)
	}
	return out
}

var (
	conjunction = regexp.MustCompile(`^(.+?) and (.+)$`)
	comparison  = regexp.MustCompile(`^(.+?) (==|>|startswith) (.+)$`)
	function    = regexp.MustCompile(`^(\w+)\((.*)\)$`)
	path        = regexp.MustCompile(`^\w+(\.\w+)?$`)
)

func (k kql) eval(e string, r row) any {
	e = strings.TrimSpace(e)
	if m := function.FindStringSubmatch(e); m != nil && len(split(e, ' ')) == 1 {
		return k.call(m[1], split(m[2], ','), r)
	}
	if m := conjunction.FindStringSubmatch(e); m != nil {
		return k.eval(m[1], r) == true && k.eval(m[2], r) == true
	}
	if m := comparison.FindStringSubmatch(e); m != nil {
		left, right := k.eval(m[1], r), k.eval(m[3], r)
		switch m[2] {
		case "==":
			return left == right
		case ">":
			a, ok := left.(float64)
			return ok && a > right.(float64)
		}
		text, ok := left.(string)
		return ok && strings.HasPrefix(strings.ToLower(text), strings.ToLower(right.(string)))
	}
	if text, err := strconv.Unquote(e); err == nil {
		return text
	}
	if n, err := strconv.ParseFloat(e, 64); err == nil {
		return n
	}
	switch {
	case e == "true" || e == "false":
		return e == "true"
	case path.MatchString(e):
		name, of, inside := strings.Cut(e, ".")
		v, there := r[name]
		if !there {
			k.t.Fatalf("no column %q in %v", name, r)
		}
		if o, ok := v.(map[string]any); inside && ok {
			return o[of]
		} else if inside {
			return nil
		}
		return v
	}
	k.t.Fatalf("the expression %q is not known here", e)
	return nil
}

func (k kql) call(name string, args []string, r row) any {
	v := k.eval(args[0], r)
	switch name {
	case "iff":
		if v == true {
			return k.eval(args[1], r)
		}
		return k.eval(args[2], r)
	case "parse_json":
		var out any
		if json.Unmarshal([]byte(v.(string)), &out) != nil {
			return v
		}
		return out
	case "tostring":
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	case "tolong", "tobool": // of something else they are null
		_, number := v.(float64)
		_, truth := v.(bool)
		if name == "tolong" && number || name == "tobool" && truth {
			return v
		}
		return nil
	}
	k.t.Fatalf("the function %q is not known here", name)
	return nil
}

func named(column string) (name, expression string) {
	name, expression, ok := strings.Cut(strings.TrimSpace(column), " = ")
	if !ok {
		return strings.TrimSpace(column), strings.TrimSpace(column)
	}
	return name, expression
}

func named2(args string) (first, second string) {
	first, second, _ = strings.Cut(args, ",")
	return strings.TrimSpace(first), strings.TrimSpace(second)
}

// split cuts outside of brackets and texts.
func split(text string, at rune) []string {
	var out []string
	depth, quoted, from := 0, false, 0
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == at && depth == 0:
			out, from = append(out, text[from:i]), i+1
		}
	}
	return append(out, text[from:])
}

// The alarms, shown a window of the log: which of them ring?
func TestAlarmsRing(t *testing.T) {
	line := func(at float64, members string) row { return row{"timestamp": at, "message": "{" + members + "}"} }
	tick := func(at float64, key, rest string) row {
		return line(at, `"severityLevel":"Information","message":"handled","kind":"tick","key":"`+key+`"`+rest)
	}
	fine := tick(1, "a", `,"unrestored":false,"judgement_age_ms":900`)
	for name, test := range map[string]struct {
		traces, requests []row
		rings            string
	}{
		"all is well":                        {traces: []row{fine, tick(2, "b", "")}, requests: []row{{"timestamp": 1.0, "success": true}}},
		"nothing runs":                       {rings: "sweep-missing"},
		"events alone are no sweep":          {traces: []row{line(1, `"message":"handled","kind":"policy","key":"a"`)}, rings: "sweep-missing"},
		"an invocation fails":                {traces: []row{fine}, requests: []row{{"timestamp": 1.0, "success": false}}, rings: "failed"},
		"the handler writes an error":        {traces: []row{fine, line(2, `"severityLevel":"Error","message":"cannot start"`)}, rings: "failed"},
		"a key has not been judged":          {traces: []row{fine, tick(2, "b", `,"judgement_age_ms":600001`)}, rings: "judgement-old"},
		"a key is broken":                    {traces: []row{fine, tick(2, "b", `,"unrestored":true`)}, rings: "unrestored"},
		"a key was broken and is not":        {traces: []row{tick(1, "b", `,"unrestored":true`), tick(2, "b", `,"unrestored":false`)}},
		"a key is broken again, out of line": {traces: []row{tick(3, "b", `,"unrestored":true`), tick(2, "b", `,"unrestored":false`)}, rings: "unrestored"},
		"what others write":                  {traces: []row{fine, {"timestamp": 2.0, "message": "Host lock lease acquired"}, {"timestamp": 2.0, "message": "{broken"}}},
	} {
		t.Run(name, func(t *testing.T) {
			k := kql{t, map[string][]row{"traces": test.traces, "requests": test.requests}}
			var rings []string
			for _, r := range planned(t, nil).All("azurerm_monitor_scheduled_query_rules_alert_v2") {
				rows := k.query(r.String("criteria", 0, "query"))
				if len(rows) != 1 {
					t.Fatalf("%s makes %d rows", r.Address, len(rows))
				}
				if rows[0]["wrong"].(float64) > 0 {
					rings = append(rings, strings.TrimPrefix(r.String("name"), "acme-byokwatch-"))
				}
			}
			if got := strings.Join(rings, " "); got != test.rings {
				t.Errorf("%q rings instead of %q", got, test.rings)
			}
		})
	}
}
