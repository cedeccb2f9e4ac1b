package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// kind is the class of a token.
type kind uint8

const (
	kindEOF kind = iota
	kindIdent
	kindString
	kindNumber
	kindPunct // one character, or "=>" or "..."
)

// token is one word of the source. For strings text is the decoded content.
type token struct {
	kind kind
	text string
	pos  int
}

// scanner splits the source into tokens. After the first error every token is
// EOF, so that callers need to look at the error only once, at the end.
type scanner struct {
	src string
	pos int   // behind tok
	tok token // the current token
	err error
}

// fail records the first error, at byte offset pos.
func (s *scanner) fail(pos int, format string, args ...any) {
	if s.err != nil {
		return
	}
	line := 1 + strings.Count(s.src[:pos], "\n")
	column := 1 + utf8.RuneCountInString(s.src[strings.LastIndexByte(s.src[:pos], '\n')+1:pos])
	s.err = diag.New("OP3090", fmt.Sprintf(format, args...), "at", fmt.Sprintf("line %d column %d", line, column))
	s.tok = token{kind: kindEOF, pos: pos}
	s.pos = len(s.src)
}

// next moves to the following token.
func (s *scanner) next() {
	s.skipSpace()
	start := s.pos
	if s.err != nil || start >= len(s.src) {
		s.tok = token{kind: kindEOF, pos: len(s.src)}
		return
	}
	switch c := s.src[start]; {
	case c == '"':
		s.scanString(start)
	case isLetter(c):
		s.pos = start + identLen(s.src[start:])
		s.tok = token{kindIdent, s.src[start:s.pos], start}
	case c == '-' || isDigit(c):
		s.scanNumber(start)
	default:
		s.scanPunct(start)
	}
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r', '\v', '\f':
			s.pos++
		case '#':
			end := strings.IndexByte(s.src[s.pos:], '\n')
			if end < 0 {
				end = len(s.src) - s.pos
			}
			s.pos += end
		default:
			return
		}
	}
}

func (s *scanner) scanPunct(start int) {
	n := 1
	for _, long := range []string{"=>", "..."} {
		if strings.HasPrefix(s.src[start:], long) {
			n = len(long)
		}
	}
	s.pos = start + n
	s.tok = token{kindPunct, s.src[start:s.pos], start}
}

// scanNumber reads -?digits[.digits][e[+-]digits], and -inf, -infinity and -nan.
func (s *scanner) scanNumber(start int) {
	i := start
	if s.src[i] == '-' {
		i++
	}
	if i < len(s.src) && isLetter(s.src[i]) {
		i += identLen(s.src[i:])
	} else {
		i = digits(s.src, i)
		if i < len(s.src) && s.src[i] == '.' {
			i = digits(s.src, i+1)
		}
		if i < len(s.src) && (s.src[i] == 'e' || s.src[i] == 'E') {
			i++
			if i < len(s.src) && (s.src[i] == '+' || s.src[i] == '-') {
				i++
			}
			i = digits(s.src, i)
		}
	}
	s.pos = i
	s.tok = token{kindNumber, s.src[start:i], start}
}

func (s *scanner) scanString(start int) {
	var b strings.Builder
	for i := start + 1; i < len(s.src); i++ {
		switch c := s.src[i]; c {
		case '"':
			s.pos = i + 1
			s.tok = token{kindString, b.String(), start}
			return
		case '\\':
			i++
			if i < len(s.src) {
				i += unescape(&b, s.src[i:])
			}
		default:
			b.WriteByte(c)
		}
	}
	s.fail(start, "string without closing quote")
}

// unescape decodes what follows a backslash and returns how many bytes
// beyond the first it took. A letter without a meaning stands for itself.
func unescape(b *strings.Builder, rest string) int {
	switch rest[0] {
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'x':
		if len(rest) >= 3 {
			if v, err := strconv.ParseUint(rest[1:3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				return 2
			}
		}
		b.WriteByte('x')
	default:
		b.WriteByte(rest[0])
	}
	return 0
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func identLen(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
		n++
	}
	return n
}

func digits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// isIdent says whether s can be written without quotes.
func isIdent(s string) bool { return s != "" && isLetter(s[0]) && identLen(s) == len(s) }
