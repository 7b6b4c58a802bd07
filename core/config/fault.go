package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a configuration. It never holds the
// value of a secret field.
type Fault struct {
	Line  int    // from 1
	Field string // such as keys[0].confluent.roles[1]; empty for the whole file
	Text  string // what is wrong and what to write instead
}

func (f Fault) Error() string {
	if f.Field == "" {
		return fmt.Sprintf("line %d: %s", f.Line, f.Text)
	}
	return fmt.Sprintf("line %d: %s: %s", f.Line, f.Field, f.Text)
}

// Faults is every fault of a configuration, in the order of the file.
type Faults []Fault

// maxFaults is how many of them the error's text shows.
const maxFaults = 20

// Error has one line for each fault.
func (f Faults) Error() string {
	var lines []string
	for _, fault := range f[:min(len(f), maxFaults)] {
		lines = append(lines, fault.Error())
	}
	if more := len(f) - maxFaults; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// quote shows a value in an error: escaped, and cut where it is long.
func quote(s string) string {
	const most = 120
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
