package verify

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// functions checks the list of functions: unique, complete, not recursive.
func (c *checker) functions(m *onnx.Model) {
	seen := map[functionID]bool{}
	for _, f := range m.Functions {
		key := functionID{plain(f.Domain), f.Name, f.Overload}
		switch {
		case f.Name == "":
			c.add("OP3126", "a function has no name", "domain", f.Domain)
		case seen[key]:
			c.add("OP3126", "a function is defined twice", "function", f.Name, "domain", f.Domain)
		case len(f.OpsetImport) == 0 && len(f.Node) > 0:
			c.add("OP3126", "a function imports no operator set", "function", f.Name)
		}
		seen[key] = true
		c.imports(f.OpsetImport, "function", f.Name)
		c.metadata(f.MetadataProps, "function", f.Name)
		c.distinct(f.Name, "input", f.Input)
		c.distinct(f.Name, "output", f.Output)
		c.distinct(f.Name, "attribute", attributeNames(f))
	}
	c.recursion()
}

func attributeNames(f *onnx.Function) []string {
	out := slices.Clone(f.Attribute)
	for _, a := range f.AttributeProto {
		out = append(out, a.Name)
	}
	return out
}

func (c *checker) distinct(function, what string, list []string) {
	seen := map[string]bool{}
	for _, name := range list {
		if seen[name] || name == "" {
			c.add("OP3126", "an "+what+" of a function is unnamed or named twice", "function", function, what, name)
		}
		seen[name] = true
	}
}

// recursion finds functions that call themselves, directly or through others.
func (c *checker) recursion() {
	const open, done = 1, 2
	state := map[*graph.Function]int{}
	var visit func(f *graph.Function)
	visit = func(f *graph.Function) {
		state[f] = open
		for _, callee := range c.callees(f) {
			switch state[callee] {
			case 0:
				visit(callee)
			case open:
				c.add("OP3126", "a function calls itself", "function", callee.Proto.Name, "domain", callee.Proto.Domain)
			}
		}
		state[f] = done
	}
	for _, f := range c.model.Functions {
		if state[f] == 0 {
			visit(f)
		}
	}
}

// callees are the functions that f calls, each once.
func (c *checker) callees(f *graph.Function) []*graph.Function {
	var out []*graph.Function
	seen := map[*graph.Function]bool{}
	for n := range f.Body.All() {
		if g := c.callee(n); g != nil && !seen[g] {
			seen[g] = true
			out = append(out, g)
		}
	}
	return out
}

func (c *checker) functionMessages(f *onnx.Function) {
	for _, v := range f.ValueInfo {
		c.metadata(v.MetadataProps, "value", v.Name)
	}
	s := &names{own: map[string]bool{}}
	for _, name := range f.Input {
		s.own[name] = true
	}
	c.nodeMessages(f.Node, s)
}
