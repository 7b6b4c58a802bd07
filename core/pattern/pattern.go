// Package pattern compiles a regular expression when it is first used. A
// function's cold start is time that Confluent waits: compiling every grammar
// of every ID at the start took more of it than all the rest of byokwatch.
package pattern

import (
	"regexp"
	"sync"
)

// Regexp is a regular expression of package regexp. It is safe for concurrent
// use.
type Regexp struct{ compiled func() *regexp.Regexp }

// New takes an expression of the program's own; its first use panics if it does
// not compile.
func New(expr string) Regexp {
	return Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })}
}

// The methods are those of [regexp.Regexp].

func (r Regexp) MatchString(s string) bool { return r.compiled().MatchString(s) }

func (r Regexp) Match(b []byte) bool { return r.compiled().Match(b) }

func (r Regexp) FindIndex(b []byte) []int { return r.compiled().FindIndex(b) }

func (r Regexp) FindStringSubmatch(s string) []string { return r.compiled().FindStringSubmatch(s) }

func (r Regexp) ReplaceAllString(s, repl string) string {
	return r.compiled().ReplaceAllString(s, repl)
}

func (r Regexp) ReplaceAllStringFunc(s string, repl func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(s, repl)
}

func (r Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	return r.compiled().FindAllStringSubmatch(s, n)
}
