package alert

import (
	"strings"

	"byokwatch/core/pattern"
)

// Message is an alert in no chat's own language. Texts are complete: a channel
// decides only how they look, and, where it must save space, leaves whole parts
// out from the end, the Diff first.
type Message struct {
	ID       string
	Code     Code
	Severity Severity
	Class    Class
	// Title is one line of at most MaxTitle characters with the mark first.
	// The key's label in it is cleaned like foreign text.
	Title string
	Rows  []Row
	// Commands are for a shell: several lines at most, shown whole or not at
	// all.
	Commands []string
	// Fragment is policy text of several lines, shown whole or not at all.
	Fragment string
	// Support is a summary to send to Confluent Support, several lines.
	Support string
	// Diff is the only part that may be cut. All of it is foreign.
	Diff []string
	// Footer names incident, runbook and whatever finds the case again.
	Footer Line
}

// MaxTitle is the longest title in characters, that of the narrowest channel
// (https://docs.slack.dev/reference/block-kit/blocks/header-block).
const MaxTitle = 150

// Row is a label with one or more lines.
type Row struct {
	Label string
	Lines []Line
}

// Line is the text of one line in pieces.
type Line []Span

// Span is a piece of text and whose it is.
type Span struct {
	Text string
	Kind Kind
}

// Kind says how a channel must treat a text.
type Kind int

const (
	// Foreign text is shown as it is, in an element that the channel does not
	// interpret. It is the zero value, so that what nobody marked is safe.
	Foreign Kind = iota
	// Ours is a constant of this package, filled with times and numbers.
	Ours
	// Shell is a command of ours to copy.
	Shell
)

// Text renders a message for a terminal or a log: a block of lines, the parts
// in order, without any markup. Foreign text that is not a plain identifier is
// quoted where it stands within a sentence of ours.
func (m Message) Text() string {
	var b strings.Builder
	b.WriteString(m.Title + "\n")
	for _, r := range m.Rows {
		for i, l := range r.Lines {
			label := ""
			if i == 0 {
				label = r.Label
			}
			b.WriteString(pad(label) + l.Text() + "\n")
		}
	}
	for i, c := range m.Commands {
		label := ""
		if i == 0 {
			label = "Run"
		}
		b.WriteString(block(label, c))
	}
	if m.Fragment != "" {
		b.WriteString(block("Policy", m.Fragment))
	}
	if m.Support != "" {
		b.WriteString(block("Support", m.Support))
	}
	if len(m.Footer) > 0 {
		b.WriteString(pad("") + m.Footer.Text() + "\n")
	}
	if len(m.Diff) > 0 {
		b.WriteString(block("Diff", strings.Join(m.Diff, "\n")))
	}
	return b.String()
}

const labelWidth = 11

func pad(label string) string {
	return label + strings.Repeat(" ", max(1, labelWidth-len(label)))
}

func block(label, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		if i == 0 {
			lines[i] = pad(label) + l
		} else {
			lines[i] = pad("") + l
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

var identifier = pattern.New(`^[A-Za-z0-9:/._@*+=…-]+$`)

// Text renders one line without markup.
func (l Line) Text() string {
	var b strings.Builder
	for _, s := range l {
		if s.Kind != Foreign || len(l) == 1 || identifier.MatchString(s.Text) {
			b.WriteString(s.Text)
			continue
		}
		b.WriteString(`"` + strings.ReplaceAll(s.Text, `"`, `'`) + `"`)
	}
	return b.String()
}
