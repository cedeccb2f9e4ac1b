package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// usageError is a fault in the command line.
func usageError(format string, args ...any) *diag.Error {
	return diag.New("OP2001", fmt.Sprintf(format, args...))
}

// flagError turns a complaint of the flag parser into a message with a hint.
func flagError(c *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &bad) && errors.As(bad.Unwrap(), new(*strconv.NumError)):
		return diag.New("OP2010", fmt.Sprintf("bad value for --%s", bad.GetFlag().Name), "found", fmt.Sprintf("%q", bad.GetValue()), "wanted", "a whole number")
	case errors.As(err, &bad):
		return diag.New("OP2010", fmt.Sprintf("bad value for --%s", bad.GetFlag().Name),
			"found", fmt.Sprintf("%q", bad.GetValue()), "wanted", bad.Unwrap().Error())
	case errors.As(err, &unknown):
		e := usageError("unknown flag --%s", unknown.GetSpecifiedName())
		if s := unknown.GetSpecifiedShortnames(); s != "" {
			return usageError("unknown flag -%s", unknown.GetSpecifiedName()).Hinted("see %s --help", c.CommandPath())
		}
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		if near := diag.DidYouMean("--"+unknown.GetSpecifiedName(), names); near != "" {
			return e.Hinted("%s", near)
		}
		return e.Hinted("see %s --help", c.CommandPath())
	}
	return usageError("%v", err).Hinted("see %s --help", c.CommandPath())
}

// messages are the user's messages in err: every *diag.Error of a joined
// error, or the whole as one unexpected failure.
func messages(err error) []*diag.Error {
	if l, ok := err.(*locatedError); ok {
		return messages(errors.Join(l.messages...))
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*diag.Error
		for _, e := range many.Unwrap() {
			out = append(out, messages(e)...)
		}
		return out
	}
	var e *diag.Error
	if errors.As(err, &e) {
		if joined := wrappedMany(err); joined != nil && joined != err {
			return messages(joined)
		}
		return []*diag.Error{e}
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return []*diag.Error{diag.New("OP1002", fileOperation(path.Op), "file", path.Path).Wrap(path.Err)}
	}
	return []*diag.Error{diag.New("OP1002", err.Error())}
}

func fileOperation(op string) string {
	if strings.HasPrefix(op, "mkdir") {
		return "cannot make a folder"
	}
	return "cannot " + op + " a file"
}

// wrappedMany finds a joined error below err, before any *diag.Error.
func wrappedMany(err error) error {
	for err != nil {
		if l, ok := err.(*locatedError); ok {
			return errors.Join(l.messages...)
		}
		if _, ok := err.(*diag.Error); ok {
			return nil
		}
		if _, ok := err.(interface{ Unwrap() []error }); ok {
			return err
		}
		err = errors.Unwrap(err)
	}
	return nil
}

// located adds the model's path to messages that do not name a file yet.
func located(err error, path string) error {
	if err == nil {
		return nil
	}
	list := messages(err)
	out := make([]error, len(list))
	for i, e := range list {
		if !namesFile(e) {
			c := *e
			if path == "-" {
				path = "standard input"
			}
			c.Fields = append([]diag.Field{{Label: "file", Text: path}}, e.Fields...)
			e = &c
		}
		out[i] = e
	}
	return &locatedError{err, out}
}

// locatedError prints as the messages and is the original for errors.Is and errors.As.
type locatedError struct {
	cause    error
	messages []error
}

func (l *locatedError) Error() string { return l.cause.Error() }
func (l *locatedError) Unwrap() []error {
	return append(l.messages[:len(l.messages):len(l.messages)], l.cause)
}

func namesFile(e *diag.Error) bool {
	for _, f := range e.Fields {
		if f.Label == "file" || f.Label == "model" || f.Label == "data" || f.Label == "sample" {
			return true
		}
	}
	return false
}

// mostMessages is how many messages of one failure are printed in full.
const mostMessages = 20

// finish prints err and returns the exit code.
func (a *app) finish(err error) int {
	if err == nil {
		return a.code
	}
	list := messages(err)
	code := list[0].Exit()
	list = firstOfEach(list)
	for i, m := range list {
		if i == mostMessages {
			fmt.Fprintf(a.err, "and %d more\n", len(list)-i)
			break
		}
		printMessage(a.err, "error", m, a.colored(a.err))
	}
	return code
}

// firstOfEach keeps the first of the rules that one model breaks: the others
// often follow from it, and check lists them all.
func firstOfEach(list []*diag.Error) []*diag.Error {
	var out []*diag.Error
	more := 0
	for i, e := range list {
		if i > 0 && strings.HasPrefix(e.Code, "OP31") && fileOf(e) != "" && fileOf(e) == fileOf(list[i-1]) {
			more++
			continue
		}
		out, more = append(told(out, more), e), 0
	}
	return told(out, more)
}

// told adds to the last message that there are more about its file.
func told(list []*diag.Error, more int) []*diag.Error {
	if more > 0 {
		last := *list[len(list)-1]
		last.Fields = append(last.Fields[:len(last.Fields):len(last.Fields)],
			diag.Field{Label: "others", Text: fmt.Sprintf("%d more; onnxpass check lists them", more)})
		list[len(list)-1] = &last
	}
	return list
}

func fileOf(e *diag.Error) string {
	for _, f := range e.Fields {
		if f.Label == "file" {
			return f.Text
		}
	}
	return ""
}

// printMessage writes a message in its fixed form: level and code, what, labelled facts, hint, more.
func printMessage(w io.Writer, level string, e *diag.Error, color bool) {
	tag := level + "[" + e.Code + "]"
	if color {
		tag = paint(level, tag)
	}
	fmt.Fprintf(w, "%s: %s\n", tag, oneLine(e.What))
	fields := e.Fields
	if e.Err != nil {
		fields = append(fields[:len(fields):len(fields)], diag.Field{Label: "cause", Text: e.Err.Error()})
	}
	if hint := hintOf(e); hint != "" {
		fields = append(fields[:len(fields):len(fields)], diag.Field{Label: "hint", Text: hint})
	}
	fields = append(fields[:len(fields):len(fields)], diag.Field{Label: "more", Text: "onnxpass explain " + e.Code})
	width := 6
	for _, f := range fields {
		width = max(width, len(f.Label))
	}
	for _, f := range fields {
		text := strings.ReplaceAll(printable(f.Text), "\n", "\n"+strings.Repeat(" ", width+4))
		fmt.Fprintf(w, "  %-*s  %s\n", width, f.Label, text)
	}
}

// hintOf is what the user can do. Models that break a rule of the format are
// mended where they are made, whatever the rule is.
func hintOf(e *diag.Error) string {
	if e.Hint == "" && (strings.HasPrefix(e.Code, "OP31") || strings.HasPrefix(e.Code, "OP320")) {
		return "this is not a valid ONNX model: mend the program that wrote it, or export it again (onnxpass dump shows the graph)"
	}
	return e.Hint
}

// oneLine is printable without line breaks, for text that starts at the first column.
func oneLine(s string) string { return strings.ReplaceAll(printable(s), "\n", "\uFFFD") }

// steers tells whether a character moves the cursor, changes colours or
// reorders the text around it.
func steers(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < ' ' || r >= 0x7f && r < 0xa0: // C0, DEL, C1
		return true
	}
	return r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f // line separators, bidirectional controls
}

// printable replaces control characters: names come from files and must not steer the terminal.
func printable(s string) string {
	const most = 2000
	s = strings.Map(func(r rune) rune {
		if steers(r) {
			return '\uFFFD'
		}
		return r
	}, strings.TrimRight(s, "\n"))
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + " ..."
	}
	return s
}

func paint(level, s string) string {
	color := map[string]string{"error": "31", "warning": "33", "note": "36"}[level]
	return "\x1b[1;" + color + "m" + s + "\x1b[0m"
}
