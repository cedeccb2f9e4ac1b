// Package verify checks that a model is valid ONNX: the rules of the ONNX
// checker and of IR.md, and what the consumers refuse beyond them.
package verify

import (
	"errors"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// maxProblems bounds the number of problems that one call reports.
const maxProblems = 100

// Model checks every invariant of a valid model. The result is nil or a joined
// error of *diag.Error (OP31xx), each naming the node or value that it is about.
// Element types are checked as far as they are known: call m.Infer before.
func Model(m *graph.Model) error {
	out, err := m.Export()
	if err != nil {
		return err
	}
	c := &checker{model: m, byName: map[functionID]*graph.Function{}}
	for _, f := range m.Functions {
		c.byName[functionID{plain(f.Proto.Domain), f.Proto.Name, f.Proto.Overload}] = f
	}
	c.header(out)
	c.functions(out)
	c.graph(m.Main, nil)
	c.messages(out.Graph, nil)
	for i, f := range m.Functions {
		c.graph(f.Body, nil)
		c.functionMessages(out.Functions[i])
	}
	c.mainInterface(out.Graph) // last: a shape that is missing there may be so because a node is wrong
	return errors.Join(c.problems...)
}

// checker collects problems.
type checker struct {
	model    *graph.Model
	byName   map[functionID]*graph.Function
	problems []error
}

type functionID struct{ domain, name, overload string }

// callee is the function that a node calls, nil when it calls none.
func (c *checker) callee(n *graph.Node) *graph.Function {
	return c.byName[functionID{n.Domain(), n.Op(), n.Proto().Overload}]
}

// add records a problem; pairs are labelled facts.
func (c *checker) add(code, what string, pairs ...string) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, diag.New(code, what, pairs...))
	}
}

// addNode records a problem of a node.
func (c *checker) addNode(n *graph.Node, code, what string, pairs ...string) {
	c.add(code, what, append([]string{"node", n.Label(), "operator", operator(n)}, pairs...)...)
}

func operator(n *graph.Node) string {
	if n.Domain() == "" {
		return n.Op()
	}
	return n.Domain() + "." + n.Op()
}

// metadata checks that no key occurs twice.
func (c *checker) metadata(entries []onnx.Entry, where ...string) {
	if len(entries) < 2 {
		return
	}
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		if seen[e.Key] {
			c.add("OP3127", "a metadata key occurs twice", append(where, "key", e.Key)...)
		}
		seen[e.Key] = true
	}
}
