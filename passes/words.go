package passes

import (
	"errors"
	"strings"
)

var (
	errQuote = errors.New("a double quote that is not closed")
	errParen = errors.New("parentheses that do not match")
)

// splitTop splits at commas outside parentheses and double quotes.
func splitTop(s string) ([]string, error) {
	var parts []string
	start, depth := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			end := quoteEnd(s, i)
			if end < 0 {
				return nil, errQuote
			}
			i = end
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return nil, errParen
			}
		case ',':
			if depth == 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
	}
	if depth != 0 {
		return nil, errParen
	}
	return append(parts, s[start:]), nil
}

// quoteEnd is the index of the quote that closes the one at i, -1 when there is none.
func quoteEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unquote removes the quotes of a value that is one quoted string and leaves every other as it is.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || quoteEnd(s, 0) != len(s)-1 {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// quoteWord writes a word so that splitTop keeps it whole and unquote gives it back.
func quoteWord(s string) string {
	if s != "" && s == strings.TrimSpace(s) && !strings.ContainsAny(s, `,"()\`) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// splitList reads "(a,b)", "a,b" or "" as a list of words.
func splitList(s string) ([]string, error) {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '(' && groupEnd(s) == len(s)-1 {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	if s == "" {
		return nil, nil
	}
	parts, err := splitTop(s)
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		parts[i] = unquote(strings.TrimSpace(p))
	}
	return parts, nil
}

// groupEnd is the index of the parenthesis that closes the one at the start, -1 when there is none.
func groupEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			if i = quoteEnd(s, i); i < 0 {
				return -1
			}
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
