package verify

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
)

// names are the values that a graph and the enclosing ones define.
type names struct {
	own   map[string]bool
	outer *names
}

func (s *names) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.own[name] {
			return true
		}
	}
	return false
}

func namesOf(g *onnx.Graph, outer *names) *names {
	s := &names{own: make(map[string]bool, len(g.Node)+len(g.Initializer)), outer: outer}
	for _, v := range g.Input {
		s.own[v.Name] = true
	}
	for _, t := range g.Initializer {
		s.own[t.Name] = true
	}
	for _, t := range g.SparseInitializer {
		s.own[t.Values.Name] = true
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			s.own[name] = true
		}
	}
	return s
}

// messages checks what a written graph holds besides nodes and links.
func (c *checker) messages(g *onnx.Graph, outer *names) {
	if g.Name == "" {
		c.add("OP3113", "a graph has no name")
	}
	c.metadata(g.MetadataProps, "graph", g.Name)
	for _, t := range g.Initializer {
		c.tensor(t, "initializer", t.Name)
	}
	for _, t := range g.SparseInitializer {
		c.sparse(t, t.Values.Name)
	}
	s := namesOf(g, outer)
	for _, v := range g.ValueInfo {
		c.metadata(v.MetadataProps, "value", v.Name)
	}
	for _, a := range g.QuantizationAnnotation {
		c.annotation(a, s)
	}
	c.nodeMessages(g.Node, s)
}

func (c *checker) annotation(a *onnx.TensorAnnotation, s *names) {
	if !s.has(a.TensorName) {
		c.add("OP3129", "a quantization annotation is about a value that does not exist", "value", a.TensorName)
	}
	for _, p := range a.QuantParameterTensorName {
		if !s.has(p.Value) {
			c.add("OP3129", "a quantization annotation refers to a value that does not exist", "value", a.TensorName, "parameter", p.Value)
		}
	}
}

// nodeMessages checks tensors in attributes, and subgraphs.
func (c *checker) nodeMessages(nodes []*onnx.Node, s *names) {
	for _, n := range nodes {
		for _, a := range n.Attribute {
			where := []string{"node", n.Name, "operator", n.OpType, "attribute", a.Name}
			if a.T != nil {
				c.tensor(a.T, where...)
			}
			for _, t := range a.Tensors {
				c.tensor(t, where...)
			}
			if a.SparseTensor != nil {
				c.sparse(a.SparseTensor, n.Name)
			}
			if a.G != nil {
				c.messages(a.G, s)
			}
			for _, g := range a.Graphs {
				c.messages(g, s)
			}
		}
	}
}

// tensor checks type, dims and length; where is a list of labelled facts.
func (c *checker) tensor(t *onnx.Tensor, where ...string) {
	if t == nil || !t.Type.Known() {
		c.add("OP3120", "a tensor has no element type", where...)
		return
	}
	n, err := t.NumElements()
	if err != nil {
		c.add("OP3121", "the dims of a tensor are negative or too large", append(where, "dims", fmt.Sprint(t.Dims))...)
		return
	}
	if t.Type == onnx.String {
		if int64(len(t.Strings)) != n || t.Data != nil && t.Data.Len() > 0 {
			c.add("OP3121", "a tensor has another number of strings than its dims say", append(where, "wanted", fmt.Sprint(n), "found", fmt.Sprint(len(t.Strings)))...)
		}
		return
	}
	want, ok := t.Type.RawSize(n)
	found := int64(0)
	if t.Data != nil {
		found = t.Data.Len()
	}
	if !ok || found != want || len(t.Strings) > 0 {
		c.add("OP3121", "a tensor has another size than its dims say",
			append(where, "wanted", fmt.Sprintf("%d bytes for %v %v", want, t.Type, t.Dims), "found", fmt.Sprintf("%d bytes", found))...)
	}
}

// sparse checks a sparse tensor: values in one dimension, and as many indices,
// sorted and inside the dims (onnx.proto, SparseTensorProto).
func (c *checker) sparse(t *onnx.SparseTensor, name string) {
	if t.Values == nil || t.Indices == nil {
		c.add("OP3128", "a sparse tensor has no values or no indices", "tensor", name)
		return
	}
	mark := len(c.problems)
	c.tensor(t.Values, "sparse tensor", name)
	c.tensor(t.Indices, "indices of sparse tensor", name)
	total, err := (&onnx.Tensor{Dims: t.Dims}).NumElements()
	if err != nil {
		c.add("OP3128", "the dims of a sparse tensor are negative or too large", "tensor", name, "dims", fmt.Sprint(t.Dims))
	}
	if len(c.problems) > mark {
		return
	}
	if what := indexProblem(t, total); what != "" {
		c.add("OP3128", what, "tensor", name)
	}
}

func indexProblem(t *onnx.SparseTensor, total int64) string {
	count := int64(-1)
	if len(t.Values.Dims) == 1 {
		count = t.Values.Dims[0]
	}
	linear := len(t.Indices.Dims) == 1
	pairs := len(t.Indices.Dims) == 2 && t.Indices.Dims[1] == int64(len(t.Dims))
	if t.Indices.Type != onnx.Int64 || count < 0 || !linear && !pairs || t.Indices.Dims[0] != count {
		return "the indices of a sparse tensor do not fit its values"
	}
	index, err := t.Indices.Int64s()
	if err != nil {
		return "the indices of a sparse tensor cannot be read"
	}
	last := int64(-1)
	for i := range int(count) {
		at := index[i]
		if pairs {
			if at = flat(index[i*len(t.Dims):(i+1)*len(t.Dims)], t.Dims); at < 0 {
				return "an index of a sparse tensor lies outside its dims"
			}
		}
		if at <= last || at >= total {
			return "the indices of a sparse tensor are not sorted, or lie outside its dims"
		}
		last = at
	}
	return ""
}

// flat is the row-major position, -1 when it lies outside.
func flat(index, dims []int64) int64 {
	at := int64(0)
	for i, d := range dims {
		if index[i] < 0 || index[i] >= d {
			return -1
		}
		at = at*d + index[i]
	}
	return at
}
