package target

import (
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Severity says what breaking a rule costs.
type Severity string

// The severities, worst first.
const (
	Error  Severity = "ERROR"  // the reader refuses the file
	Silent Severity = "SILENT" // the file is taken and computed wrongly
	Slow   Severity = "SLOW"   // the file is taken and a fast path is lost
	Advice Severity = "ADVICE" // worth knowing
)

// Failing says whether a finding of this severity should fail a check.
func (s Severity) Failing() bool { return s == Error || s == Silent }

// Rule is one row of a target's table. A rule without a check documents a
// setting of the profile or something that the writer of files guarantees.
type Rule struct {
	ID       string // T20, O03, R02, ...
	Code     string // OP5120: stable code of its findings; empty without a check
	Severity Severity
	Text     string // what must hold
	Hint     string // what to do about a violation
	Source   string // where it is known from

	check func(*scope)
}

// Checked says whether Lint tests the rule.
func (r Rule) Checked() bool { return r.check != nil }

// Finding is one violation of a rule.
type Finding struct {
	Rule     string   `json:"rule"`
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Node     string   `json:"node,omitempty"`  // label of the node, if one is at fault
	Value    string   `json:"value,omitempty"` // tensor, if one is at fault
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
}

// String is the finding on one line.
func (f Finding) String() string {
	where := f.Node
	if where == "" {
		where = f.Value
	}
	if where != "" {
		where = " (" + where + ")"
	}
	return fmt.Sprintf("%s %s%s: %s", f.Severity, f.Rule, where, f.Message)
}

// Lint tests every rule of the profile on the model. Findings are in the order
// of the rules, and in graph order within a rule. A model whose types have not
// been inferred gives fewer findings, never wrong ones.
func (p *Profile) Lint(m *graph.Model) []Finding {
	s := &scope{model: m, profile: p}
	for _, r := range p.Rules {
		if r.check != nil {
			s.rule = r
			r.check(s)
		}
	}
	return s.findings
}

// scope is what a check sees, and where it reports.
type scope struct {
	model    *graph.Model
	profile  *Profile
	rule     Rule
	findings []Finding
}

// at reports a violation by a node.
func (s *scope) at(n *graph.Node, format string, args ...any) {
	s.report(Finding{Node: n.Label(), Message: fmt.Sprintf(format, args...)})
}

// of reports a violation by a value.
func (s *scope) of(v *graph.Value, format string, args ...any) {
	s.report(Finding{Value: v.Name(), Message: fmt.Sprintf(format, args...)})
}

func (s *scope) report(f Finding) {
	f.Rule, f.Code, f.Severity, f.Hint = s.rule.ID, s.rule.Code, s.rule.Severity, s.rule.Hint
	s.findings = append(s.findings, f)
}

// eachNode makes a check that looks at every node of the model.
func eachNode(test func(*scope, *graph.Node)) func(*scope) {
	return func(s *scope) {
		for n := range s.model.All() {
			test(s, n)
		}
	}
}

// eachOp makes a check that looks at the ai.onnx nodes of some operators. Nodes
// without a first input or output are no business of a target: they are invalid.
func eachOp(test func(*scope, *graph.Node), ops ...string) func(*scope) {
	return eachNode(func(s *scope, n *graph.Node) {
		if n.Is(ops...) && n.In(0) != nil && n.Out(0) != nil {
			test(s, n)
		}
	})
}

// eachConst makes a check that looks at every initializer and Constant node.
func eachConst(test func(*scope, *graph.Value, *onnx.Tensor)) func(*scope) {
	return func(s *scope) {
		for g := range s.model.Graphs() {
			for _, v := range g.Initializers() {
				if t := v.Const(); t != nil {
					test(s, v, t)
				}
			}
			for n := range g.Nodes() {
				if n.Is("Constant") && n.Out(0) != nil && n.Out(0).Const() != nil {
					test(s, n.Out(0), n.Out(0).Const())
				}
			}
		}
	}
}

// write prints the profile for `onnxpass targets NAME`.
func (p *Profile) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %s\n  %s\n  facts: %s\n\n", p.Name, p.Title, p.Summary, p.Version)
	for _, line := range p.Settings() {
		fmt.Fprintf(b, "  %-24s %s\n", line[0], line[1])
	}
	b.WriteString("\nRules (severity, what must hold, source; * is checked by `onnxpass check`)\n")
	for _, r := range p.Rules {
		mark := " "
		if r.Checked() {
			mark = "*"
		}
		fmt.Fprintf(b, "%s %-4s %-6s %s [%s]\n", mark, r.ID, r.Severity, r.Text, r.Source)
	}
}
