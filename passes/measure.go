package passes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/cost"
	"github.com/onnxpass/onnxpass/onnx"
)

// count is the bill of g for the job's shapes.
func (w *work) count(g *graph.Model) Bill { return Measure(g, w.Shapes, w.Sizes) }

// Measure counts nodes, parameters and MACs of g, which is inferred. Input shapes and sizes of
// symbolic dimensions fix what the model leaves open; a batch that stays open counts as 1.
func Measure(g *graph.Model, shapes map[string][]int64, sizes map[string]int64) Bill {
	b := Bill{}
	bound := g
	if len(shapes) > 0 || !cost.Fixed(g) {
		if copied, err := cost.Bind(g, shapes, sizes); err == nil {
			bound = copied
		}
	}
	c := cost.Count(bound)
	b.Params, b.ParamBytes, b.Uncounted = c.Params, c.ParamBytes, c.Uncounted
	b.Int8Pct = 100 * c.Share(cost.Int8)
	if c.Uncounted == 0 || c.MACs > 0 {
		b.MACs = &c.MACs
	}
	b.Shapes = strings.Join(cost.Shapes(bound), ", ")
	for n := range g.All() {
		b.Nodes++
		switch {
		case n.Is("QuantizeLinear", "DynamicQuantizeLinear"):
			b.Quantize++
		case n.Is("DequantizeLinear"):
			b.Dequantize++
		}
	}
	return b
}

// Describe is what reports say of a model file; its size and hash are left out.
func Describe(m *onnx.Model, path string) FileInfo {
	f := FileInfo{Path: path, IR: m.IRVersion}
	for _, o := range m.OpsetImport {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			f.Opset = o.Version
		}
	}
	for _, p := range contract(m) {
		if p.output {
			f.Outputs = append(f.Outputs, p.String())
		} else {
			f.Inputs = append(f.Inputs, p.String())
		}
	}
	return f
}

// port is one input or output as the file declares it.
type port struct {
	output bool
	name   string
	typ    string
}

func (p port) String() string { return p.name + " " + p.typ }

// contract is the declared interface of a model: the inputs that must be fed, and the outputs.
func contract(m *onnx.Model) []port {
	if m.Graph == nil {
		return nil
	}
	inits := map[string]bool{}
	for _, t := range m.Graph.Initializer {
		inits[t.Name] = true
	}
	var out []port
	for _, v := range m.Graph.Input {
		if !inits[v.Name] {
			out = append(out, port{false, v.Name, typeText(v.Type)})
		}
	}
	for _, v := range m.Graph.Output {
		out = append(out, port{true, v.Name, typeText(v.Type)})
	}
	return out
}

// typeText writes a declared type as float32[N,3,224,224].
func typeText(t *onnx.Type) string {
	switch {
	case t == nil:
		return "?"
	case t.Sequence != nil:
		return "sequence(" + typeText(t.Sequence) + ")"
	case t.Optional != nil:
		return "optional(" + typeText(t.Optional) + ")"
	case t.Map != nil:
		return "map(" + t.Map.Key.String() + "," + typeText(t.Map.Value) + ")"
	case t.Tensor == nil:
		return "other"
	case t.Tensor.Shape == nil:
		return t.Tensor.Elem.String() + "[...]"
	}
	var dims []string
	for _, d := range t.Tensor.Shape.Dim {
		switch d.Kind {
		case onnx.DimValue:
			dims = append(dims, fmt.Sprint(d.Value))
		case onnx.DimParam:
			dims = append(dims, d.Param)
		default:
			dims = append(dims, "?")
		}
	}
	return t.Tensor.Elem.String() + "[" + strings.Join(dims, ",") + "]"
}

// InterfaceChanges lists how the inputs and outputs of b differ from those of a; empty when they are the same.
func InterfaceChanges(a, b *onnx.Model) []string { return differences(contract(a), contract(b)) }

// differences lists what changed from one interface to another.
func differences(before, after []port) []string {
	var out []string
	for i := range max(len(before), len(after)) {
		switch {
		case i >= len(before):
			out = append(out, "added "+after[i].String())
		case i >= len(after):
			out = append(out, "removed "+before[i].String())
		case before[i] != after[i]:
			out = append(out, before[i].String()+" became "+after[i].String())
		}
	}
	return out
}

// digest hashes the file at path and its external data, in order; without a path the model as it would be written.
func digest(path string, m *onnx.Model) (string, error) {
	h := sha256.New()
	if path == "" {
		err := onnx.Write(h, m)
		return hex.EncodeToString(h.Sum(nil)), err
	}
	for _, p := range append([]string{path}, m.DataFiles()...) {
		if err := addFile(h, p); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashBuffer keeps calls few and fits a cache.
const hashBuffer = 256 << 10

func addFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	// Without its own way of copying, which has a small buffer.
	_, err = io.CopyBuffer(w, struct{ io.Reader }{f}, make([]byte, hashBuffer))
	return errors.Join(err, f.Close())
}

// fileBytes is the size of the model file with its external data.
func fileBytes(path string, m *onnx.Model) (int64, error) {
	var sum int64
	for _, p := range append([]string{path}, m.DataFiles()...) {
		st, err := os.Stat(p)
		if err != nil {
			return 0, fmt.Errorf("size of %s: %w", p, err)
		}
		sum += st.Size()
	}
	return sum, nil
}

// background starts fn and returns a function that waits for its result.
func background[T any](fn func() (T, error)) func() (T, error) {
	wait := sync.OnceValues(fn)
	go func() { _, _ = wait() }()
	return wait
}
