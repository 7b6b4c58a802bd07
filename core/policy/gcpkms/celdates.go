package gcpkms

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// maxDates bounds how many dates the conditions of one question may name before
// they count as impossible to list. Nobody writes as many, and each is judged
// twice.
const maxDates = 50

// datesOf lists the instants at which an expression may change: those that the
// time of the request is compared with. listed is false if it uses the time in
// any other way, such as by its hours, since then nobody can say when it ends.
func datesOf(checked *cel.Ast) (dates []time.Time, timed, listed bool) {
	w := timeWalk{listed: true}
	w.walk(checked.NativeRep().Expr())
	return w.dates, w.timed, w.listed
}

type timeWalk struct {
	dates         []time.Time
	timed, listed bool
}

func (w *timeWalk) walk(e ast.Expr) {
	if isTime(e) {
		w.timed, w.listed = true, false
		return
	}
	switch e.Kind() {
	case ast.CallKind:
		c := e.AsCall()
		if w.comparison(c) {
			return
		}
		if c.IsMemberFunction() {
			w.walk(c.Target())
		}
		for _, a := range c.Args() {
			w.walk(a)
		}
	case ast.SelectKind:
		w.walk(e.AsSelect().Operand())
	case ast.ListKind:
		for _, el := range e.AsList().Elements() {
			w.walk(el)
		}
	case ast.MapKind:
		for _, en := range e.AsMap().Entries() {
			w.walk(en.AsMapEntry().Key())
			w.walk(en.AsMapEntry().Value())
		}
	case ast.StructKind, ast.ComprehensionKind, ast.UnspecifiedExprKind:
		w.listed = false // none of these compiles; should one, nothing is known of it
	case ast.IdentKind, ast.LiteralKind:
	}
}

// comparison takes request.time < DATE and its like.
func (w *timeWalk) comparison(c ast.CallExpr) bool {
	switch c.FunctionName() {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Equals, operators.NotEquals:
	default:
		return false
	}
	args := c.Args()
	if len(args) != 2 {
		return false
	}
	for i := range args {
		if !isTime(args[i]) {
			continue
		}
		if date, ok := instant(args[1-i]); ok {
			w.timed, w.dates = true, append(w.dates, date)
			return true
		}
	}
	return false
}

// isTime recognises request.time, in the two ways in which it may stand in a
// checked expression.
func isTime(e ast.Expr) bool {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent() == "request.time"
	case ast.SelectKind:
		s := e.AsSelect()
		return s.FieldName() == "time" && s.Operand().Kind() == ast.IdentKind && s.Operand().AsIdent() == "request"
	}
	return false
}

// instant is a date written out, with a duration added or taken at most.
func instant(e ast.Expr) (time.Time, bool) {
	if e.Kind() != ast.CallKind {
		return time.Time{}, false
	}
	c := e.AsCall()
	args := c.Args()
	switch c.FunctionName() {
	case "timestamp":
		text, ok := literal(args)
		if !ok {
			return time.Time{}, false
		}
		t, ok := types.String(text).ConvertToType(types.TimestampType).(types.Timestamp)
		return t.Time, ok
	case operators.Add, operators.Subtract:
		if len(args) != 2 {
			return time.Time{}, false
		}
		t, ok := instant(args[0])
		d, also := span(args[1])
		if c.FunctionName() == operators.Subtract {
			d = -d
		}
		return t.Add(d), ok && also
	}
	return time.Time{}, false
}

func span(e ast.Expr) (time.Duration, bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "duration" {
		return 0, false
	}
	text, ok := literal(e.AsCall().Args())
	if !ok {
		return 0, false
	}
	d, ok := types.String(text).ConvertToType(types.DurationType).(types.Duration)
	return d.Duration, ok
}

// literal is the one argument, if it is a text written out.
func literal(args []ast.Expr) (string, bool) {
	if len(args) != 1 || args[0].Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := args[0].AsLiteral().(types.String)
	return string(s), ok
}
