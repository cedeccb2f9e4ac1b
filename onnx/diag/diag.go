// Package diag is the vocabulary of messages that a user sees: one error type
// with a stable code, the facts in a fixed order (what, where, expected,
// found, hint), and the table of codes with their long explanations.
//
// The first digit of a code is the exit code of the command line: OP3xxx is a
// model that cannot be read (exit 3), OP6xxx a data problem (exit 6) and so
// on; OP8xxx are warnings and notes that never fail a run.
package diag

import (
	"fmt"
	"strings"
)

// Field is one labelled fact of a message, for instance {"wanted", "float32 [1,3,224,224]"}.
type Field struct{ Label, Text string }

// Error is a message for the user. Fields are printed in order.
type Error struct {
	Code   string  // "OP6012"
	What   string  // one line, lower case, no full stop
	Fields []Field // file, node, tensor, wanted, found, ...
	Hint   string  // what to do; may be empty
	Err    error   // cause; may be nil
}

// New makes an Error; pairs are label, text, label, text, ...
func New(code, what string, pairs ...string) *Error {
	e := &Error{Code: code, What: what}
	return e.With(pairs...)
}

// With appends facts to the message and returns it.
func (e *Error) With(pairs ...string) *Error {
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Fields = append(e.Fields, Field{pairs[i], pairs[i+1]})
	}
	return e
}

// Hinted sets what the user can do about it.
func (e *Error) Hinted(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Wrap sets the cause.
func (e *Error) Wrap(err error) *Error {
	e.Err = err
	return e
}

// Exit is the process exit code that the code's first digit stands for; 1 for anything malformed.
func (e *Error) Exit() int {
	if len(e.Code) == 6 && e.Code[2] >= '1' && e.Code[2] <= '7' {
		return int(e.Code[2] - '0')
	}
	return 1
}

// Error is the message on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.What)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s %s", f.Label, f.Text)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Entry documents one code for `onnxpass explain`.
type Entry struct {
	Code  string
	Title string
	Long  string // what it means, why it matters, what to do
}
