package text

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/onnxpass/onnxpass/onnx"
)

// Options steer printing. The zero value prints everything.
type Options struct {
	// Elide leaves out the content of tensors with more elements than this and
	// prints digest and range instead: {... sha256:1f3a5c7e9b2d min:-0.5 max:0.5}.
	// Such text cannot be parsed. 0 prints all content.
	Elide int
	// NoContent makes elided tensors show type and shape alone: their content is not read.
	NoContent bool
	// BitPatterns writes the float types of 16 and fewer bits as integers, which
	// is the only form that the official parser reads.
	BitPatterns bool
}

// String is the text of the whole model.
func String(m *onnx.Model) string {
	var b strings.Builder
	_ = Print(&b, m, Options{}) // a Builder does not fail
	return b.String()
}

// Print writes the text of m to w. Tensor content that cannot be read does
// not stop it: the text says why. The error is that of w.
func Print(w io.Writer, m *onnx.Model, o Options) error {
	p := &printer{w: bufio.NewWriterSize(w, 1<<16), Options: o}
	p.model(m)
	return p.w.Flush()
}

// PrintNode writes one node, without indentation and line end; subgraphs span several lines.
func PrintNode(w io.Writer, n *onnx.Node, o Options) error {
	p := &printer{w: bufio.NewWriter(w), Options: o}
	p.node(n, "")
	return p.w.Flush()
}

// printer writes to w, whose first error sticks.
type printer struct {
	Options
	w *bufio.Writer
}

const indentation = "   "

func (p *printer) put(words ...string) {
	for _, s := range words {
		_, _ = p.w.WriteString(s) // bufio keeps the error for Flush
	}
}

func (p *printer) model(m *onnx.Model) {
	h := header{p: p}
	h.field("ir_version", strconv.FormatInt(m.IRVersion, 10))
	h.field("opset_import", opsetList(m.OpsetImport))
	h.text("producer_name", m.ProducerName)
	h.text("producer_version", m.ProducerVersion)
	h.text("domain", m.Domain)
	if m.ModelVersion != 0 {
		h.field("model_version", strconv.FormatInt(m.ModelVersion, 10))
	}
	h.text("doc_string", m.DocString)
	h.entries(m.MetadataProps)
	h.end()
	if m.Graph != nil {
		p.graph(m.Graph, "")
		p.put("\n")
	}
	for _, f := range m.Functions {
		p.function(f)
	}
}

func (p *printer) function(f *onnx.Function) {
	p.put("\n")
	h := header{p: p}
	h.field("domain", quote(f.Domain))
	h.text("overload", f.Overload)
	h.field("opset_import", opsetList(f.OpsetImport))
	h.text("doc_string", f.DocString)
	h.entries(f.MetadataProps)
	h.end()
	p.put(id(f.Name), " ")
	if len(f.Attribute)+len(f.AttributeProto) > 0 {
		p.put("<")
		sep := ""
		for _, name := range f.Attribute {
			p.put(sep, id(name))
			sep = ", "
		}
		for _, a := range f.AttributeProto {
			p.put(sep)
			p.attribute(a, "")
			sep = ", "
		}
		p.put("> ")
	}
	p.put("(", idList(f.Input), ") => (", idList(f.Output), ")\n")
	p.declarations(nil, nil, f.ValueInfo, "")
	p.nodes(f.Node, "")
	p.put("\n")
}

// header prints the "<key: value, ...>" before a graph or function, a line for each field.
type header struct {
	p   *printer
	any bool
}

func (h *header) field(key, value string) {
	before := "<\n"
	if h.any {
		before = ",\n"
	}
	h.any = true
	h.p.put(before, indentation, key, ": ", value)
}

func (h *header) text(key, value string) {
	if value != "" {
		h.field(key, quote(value))
	}
}

func (h *header) entries(entries []onnx.Entry) {
	if len(entries) > 0 {
		h.field("metadata_props", list(entries, func(e onnx.Entry) string { return quote(e.Key) + ": " + quote(e.Value) }))
	}
}

func (h *header) end() { h.p.put("\n>\n") }

func opsetList(sets []*onnx.OperatorSet) string {
	return list(sets, func(s *onnx.OperatorSet) string { return fmt.Sprintf("%s : %d", quote(s.Domain), s.Version) })
}

// list joins the texts of all elements in brackets.
func list[E any](all []E, text func(E) string) string {
	words := make([]string, len(all))
	for i, e := range all {
		words[i] = text(e)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// id is a name, quoted unless it is a plain identifier without another meaning.
func id(s string) string {
	if isIdent(s) && !isTypeWord(s) && !isFloatWord(s) && !isGenerator(s) {
		return s
	}
	return quote(s)
}

func idList(names []string) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = id(n)
	}
	return strings.Join(words, ", ")
}

// quote escapes the quote, the backslash and everything that is not printable.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, size := 0, 0; i < len(s); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError && size == 1 || !unicode.IsPrint(r):
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteString(s[i : i+size])
		}
	}
	b.WriteByte('"')
	return b.String()
}
