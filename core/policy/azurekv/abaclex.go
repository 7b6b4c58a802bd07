package azurekv

import (
	"errors"
	"fmt"
	"strings"

	"byokwatch/core/policy/wording"
)

// The bounds of a condition. Azure takes 8 KB; nobody nests as deep as this.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/conditions-faq
const (
	maxCondition = 8 << 10
	maxNesting   = 50
)

// token is one word of a condition: punctuation and words folded, texts between
// their quotes as they are.
type token struct {
	kind byte // '(' ')' '{' '}' ',' '!' '&' '|' themselves, w word, s text, @ attribute, 0 end
	text string
}

var errLong = fmt.Errorf("it is longer than %d bytes", maxCondition)

// lex cuts a condition into tokens.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/conditions-format
func lex(text string) ([]token, error) {
	if len(text) > maxCondition {
		return nil, errLong
	}
	var out []token
	for i := 0; i < len(text); {
		n, t, err := lexOne(text[i:])
		if err != nil {
			return nil, fmt.Errorf("character %d: %w", i, err)
		}
		if t.kind != ' ' {
			out = append(out, t)
		}
		i += n
	}
	return append(out, token{}), nil
}

// lexOne reads the first token of a text and says how long it is.
func lexOne(text string) (int, token, error) {
	switch c := text[0]; c {
	case ' ', '\t', '\r', '\n':
		return 1, token{kind: ' '}, nil
	case '(', ')', '{', '}', ',', '!':
		return 1, token{kind: c}, nil
	case '&', '|':
		if len(text) < 2 || text[1] != c {
			return 0, token{}, fmt.Errorf("a single %c", c)
		}
		return 2, token{kind: c}, nil
	case '\'':
		end := strings.IndexByte(text[1:], '\'')
		if end < 0 {
			return 0, token{}, errors.New("a text has no end")
		}
		inner := text[1 : 1+end]
		if strings.HasSuffix(inner, `\`) {
			return 0, token{}, errors.New("a text with a quote in it")
		}
		return end + 2, token{'s', inner}, nil
	case '@':
		end := strings.IndexByte(text, ']')
		if end < 0 || !strings.Contains(text[:end], "[") {
			return 0, token{}, errors.New("an attribute without brackets")
		}
		return end + 1, token{'@', text[:end+1]}, nil
	}
	n := 0
	for n < len(text) && wordly(text[n]) {
		n++
	}
	if n == 0 {
		return 0, token{}, fmt.Errorf("%q has no place in a condition", text[0])
	}
	return n, keyword(wording.Lower(text[:n])), nil
}

func wordly(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':'
}

// keyword is a word, or the operator that it spells out.
func keyword(word string) token {
	switch word {
	case "and":
		return token{kind: '&'}
	case "or":
		return token{kind: '|'}
	case "not":
		return token{kind: '!'}
	}
	return token{'w', word}
}

// squeezed is one spelling for all of a condition that differ in space, in the
// case of words or in how operators are written; a condition that can't be cut
// into words stays as it is.
func squeezed(condition string) string {
	tokens, err := lex(condition)
	if err != nil {
		return condition
	}
	var b strings.Builder
	for _, t := range tokens[:len(tokens)-1] {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		switch t.kind {
		case 's':
			b.WriteString("'" + t.text + "'")
		case 'w':
			b.WriteString(t.text)
		case '@':
			b.WriteString(plainAttribute(t.text))
		case '&':
			b.WriteString("and")
		case '|':
			b.WriteString("or")
		default:
			b.WriteByte(t.kind)
		}
	}
	return b.String()
}

// plainAttribute folds an attribute, but for keys of tags, which know case.
func plainAttribute(text string) string {
	if strings.Contains(text, "<$") {
		return text
	}
	return wording.Lower(text)
}
