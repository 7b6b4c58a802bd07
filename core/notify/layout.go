package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"byokwatch/core/alert"
)

const (
	// maxText is Slack's limit for one text; we stay below it
	// (https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
	maxText = 2900
	// maxBlocks: https://docs.slack.dev/reference/block-kit/blocks.
	maxBlocks = 50
	// budget is how long all blocks may be as JSON. Slack documents no limit but
	// answers msg_blocks_too_long from about 12,000 characters on, markup
	// counted in part (https://github.com/slackapi/bolt-js/issues/2509).
	budget = 11000
)

// tightness is how far the rows are shortened: the most characters of a foreign
// text and the most lines of a row; 0 is as they come.
type tightness struct{ text, lines int }

// layout turns a message into blocks that Slack takes. If there is too much of
// it, the diff goes first, line by line from its end; then foreign texts get
// shorter; then whole blocks to paste go, the longest first, with a line in
// their place, because half a command is worse than none; last, rows get
// shorter. Title, what to do and how to say that it was meant always stay.
func layout(m alert.Message) []slack.Block {
	pastes := pastesOf(m)
	for _, t := range []tightness{{}, {160, 0}, {80, 0}, {80, 4}} {
		if b := blocks(m, pastes, t); fits(b) {
			return withDiff(b, m.Diff)
		}
	}
	for drop(pastes) {
		if b := blocks(m, pastes, tightness{80, 4}); fits(b) {
			return withDiff(b, m.Diff)
		}
	}
	b := blocks(m, pastes, tightness{60, 2})
	if !fits(b) {
		b = blocks(m, pastes, tightness{40, 1})
	}
	return b
}

// paste is a text to copy as a whole.
type paste struct {
	label, text string
	dropped     bool
}

func pastesOf(m alert.Message) []*paste {
	var all []*paste
	for _, c := range m.Commands {
		all = append(all, &paste{label: "Run", text: c})
	}
	if m.Fragment != "" {
		all = append(all, &paste{label: "Policy", text: m.Fragment})
	}
	if m.Support != "" {
		all = append(all, &paste{label: "For Confluent Support", text: m.Support})
	}
	for _, p := range all {
		p.dropped = utf8.RuneCountInString(p.text) > maxText
	}
	return all
}

// drop leaves out the longest paste that is still in; false if none is.
func drop(pastes []*paste) bool {
	var longest *paste
	for _, p := range pastes {
		if !p.dropped && (longest == nil || len(p.text) > len(longest.text)) {
			longest = p
		}
	}
	if longest == nil {
		return false
	}
	longest.dropped = true
	return true
}

// blocks builds everything but the diff.
func blocks(m alert.Message, pastes []*paste, t tightness) []slack.Block {
	out := []slack.Block{slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, m.Title, false, false))}
	w := &writer{most: t.text}
	for _, r := range m.Rows {
		lines := r.Lines
		// Do and Meant are ours and short: they stay whole.
		if t.lines > 0 && len(lines) > t.lines && r.Label != "Do" && r.Label != "Meant it?" {
			more := alert.Line{{Text: fmt.Sprintf("and %d lines more", len(lines)-t.lines), Kind: alert.Ours}}
			lines = append(append([]alert.Line(nil), lines[:t.lines]...), more)
		}
		w.row(r.Label, lines)
	}
	out = append(out, w.close()...)
	for i, p := range pastes {
		if len(out) >= maxBlocks-3 {
			w.row("Left out", []alert.Line{{{Text: fmt.Sprintf("%d more texts to paste: the runbook says where they are", len(pastes)-i), Kind: alert.Ours}}})
			out = append(out, w.close()...)
			break
		}
		if p.dropped {
			w.row(p.label, []alert.Line{{{Text: fmt.Sprintf("%d characters, too long for Slack: the runbook says where it is", utf8.RuneCountInString(p.text)), Kind: alert.Ours}}})
			out = append(out, w.close()...)
			continue
		}
		out = append(out, pre(p.label, p.text))
	}
	w.row("", []alert.Line{m.Footer})
	return append(out, w.close()...)
}

// pre is a text to copy: a code block, in which Slack interprets nothing.
func pre(label, text string) *slack.RichTextBlock {
	return slack.NewRichTextBlock("",
		slack.NewRichTextSection(slack.NewRichTextSectionTextElement(label, &slack.RichTextSectionTextStyle{Bold: true})),
		&slack.RichTextPreformatted{
			Type:     slack.RTEPreformatted,
			Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(text, nil)},
		})
}

// withDiff appends as many lines of the diff as fit.
func withDiff(b []slack.Block, diff []string) []slack.Block {
	most, length := 0, len("\n… 9999 more")
	for most < len(diff) && length+utf8.RuneCountInString(diff[most])+1 <= maxText {
		length += utf8.RuneCountInString(diff[most]) + 1
		most++
	}
	for n := most; n > 0; n-- {
		text := strings.Join(diff[:n], "\n")
		if n < len(diff) {
			text += fmt.Sprintf("\n… %d more", len(diff)-n)
		}
		if all := append(b[:len(b):len(b)], pre("Diff", text)); fits(all) {
			return all
		}
	}
	return b
}

func fits(b []slack.Block) bool {
	data, err := json.Marshal(slack.Blocks{BlockSet: b})
	return err == nil && len(b) <= maxBlocks && utf8.RuneCount(data) <= budget
}

// writer fills rich text blocks with rows. Text elements of rich text are
// literal: Slack looks for no markup, mention or link in them
// (https://docs.slack.dev/reference/block-kit/blocks/rich-text-block). Foreign
// text is shown as code all the same, so that a reader sees whose it is.
type writer struct {
	most     int // characters of a foreign text, 0 for all
	blocks   []slack.Block
	elements []slack.RichTextSectionElement
	length   int
}

func (w *writer) row(label string, lines []alert.Line) {
	first := true
	for _, l := range lines {
		var line []slack.RichTextSectionElement
		if first && label != "" {
			line = append(line, slack.NewRichTextSectionTextElement(label+"  ", &slack.RichTextSectionTextStyle{Bold: true}))
		}
		first = false
		for _, s := range l {
			if e := w.element(s); e != nil {
				line = append(line, e)
			}
		}
		w.add(line)
	}
}

func (w *writer) element(s alert.Span) slack.RichTextSectionElement {
	text := s.Text
	if text == "" {
		return nil
	}
	if s.Kind == alert.Ours {
		return slack.NewRichTextSectionTextElement(text, nil)
	}
	if r := []rune(text); s.Kind == alert.Foreign && w.most > 0 && len(r) > w.most {
		text = string(r[:w.most-1]) + "…"
	}
	return slack.NewRichTextSectionTextElement(text, &slack.RichTextSectionTextStyle{Code: true})
}

// add appends one line, in a new block where the last has no room for it.
func (w *writer) add(line []slack.RichTextSectionElement) {
	n := 1
	for _, e := range line {
		n += utf8.RuneCountInString(e.(*slack.RichTextSectionTextElement).Text)
	}
	if len(line) == 0 {
		return
	}
	if w.length > 0 && w.length+n > maxText {
		w.blocks = w.close()
	}
	if w.length > 0 {
		w.elements = append(w.elements, slack.NewRichTextSectionTextElement("\n", nil))
	}
	w.elements = append(w.elements, line...)
	w.length += n
}

// close returns the blocks and begins anew.
func (w *writer) close() []slack.Block {
	out := w.blocks
	if len(w.elements) > 0 {
		out = append(out, slack.NewRichTextBlock("", slack.NewRichTextSection(w.elements...)))
	}
	w.blocks, w.elements, w.length = nil, nil, 0
	return out
}
