package passes

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Selection is what the user typed after --only, --exclude, --only-op and
// --exclude-op. A pattern is an exact name, a glob (* for any text including
// slashes, ? for one character) or, after "re:", an RE2 expression that may
// match anywhere in the name. Operator patterns see the operator type.
type Selection struct {
	Only, Exclude, OnlyOp, ExcludeOp []string
}

// Selector decides which nodes a pass may change. The nil Selector admits all.
type Selector struct {
	rules []rule
}

// rule is one pattern with the flag it came from.
type rule struct {
	flag    string // "--only"
	text    string
	ops     bool // look at the operator type, not at the name
	exclude bool
	match   func(string) bool
}

// NewSelector compiles a selection. A bad expression is a usage error.
func NewSelector(s Selection) (*Selector, error) {
	var out Selector
	for _, group := range []struct {
		flag         string
		texts        []string
		ops, exclude bool
	}{
		{"--only", s.Only, false, false}, {"--exclude", s.Exclude, false, true},
		{"--only-op", s.OnlyOp, true, false}, {"--exclude-op", s.ExcludeOp, true, true},
	} {
		for _, t := range group.texts {
			m, err := compile(t)
			if err != nil {
				return nil, diag.New("OP2008", "bad pattern for "+group.flag, "found", t).Wrap(err)
			}
			out.rules = append(out.rules, rule{group.flag, t, group.ops, group.exclude, m})
		}
	}
	return &out, nil
}

// ExcludeFlags writes the names of nodes as arguments of the command line that
// leave exactly these alone, for a POSIX shell.
func ExcludeFlags(names []string) []string {
	var out []string
	for _, name := range names {
		if strings.ContainsAny(name, "*?") || strings.HasPrefix(name, "re:") {
			name = "re:^" + regexp.QuoteMeta(name) + "$"
		}
		out = append(out, "--exclude '"+strings.ReplaceAll(name, "'", `'\''`)+"'")
	}
	return out
}

func compile(text string) (func(string) bool, error) {
	if expr, ok := strings.CutPrefix(text, "re:"); ok {
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, err
		}
		return re.MatchString, nil
	}
	if !strings.ContainsAny(text, "*?") {
		return func(s string) bool { return s == text }, nil
	}
	expr := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(text))
	re, err := regexp.Compile(`(?s)^` + expr + `$`)
	if err != nil {
		return nil, err
	}
	return func(s string) bool { return s == text || re.MatchString(s) }, nil
}

// Match says whether the user's selection admits n, and if not which flag
// excluded it. A node without a name is known by its first output's name.
func (s *Selector) Match(n *graph.Node) (ok bool, reason string) {
	if s == nil {
		return true, ""
	}
	only := map[bool]bool{} // by rule.ops: is there such a rule, and did one match
	for _, r := range s.rules {
		hit := r.match(subject(n, r.ops))
		switch {
		case r.exclude && hit:
			return false, fmt.Sprintf("excluded by %s %s", r.flag, r.text)
		case !r.exclude:
			only[r.ops] = only[r.ops] || hit
		}
	}
	for _, ops := range []bool{false, true} {
		if hit, given := only[ops]; given && !hit {
			return false, "not selected by " + map[bool]string{false: "--only", true: "--only-op"}[ops]
		}
	}
	return true, ""
}

func subject(n *graph.Node, op bool) string {
	if op {
		return n.Op()
	}
	return nodeName(n)
}

// nodeName is the name by which the user knows a node.
func nodeName(n *graph.Node) string {
	if name := n.Name(); name != "" {
		return name
	}
	for i := range n.NumOut() {
		if v := n.Out(i); v != nil {
			return v.Name()
		}
	}
	return ""
}

// Check returns a usage error that names the patterns which match nothing in m, with the nearest names.
func (s *Selector) Check(m *graph.Model) error {
	if s == nil || len(s.rules) == 0 {
		return nil
	}
	names, ops := subjects(m)
	for _, r := range s.rules {
		list := names
		if r.ops {
			list = ops
		}
		if !anyMatch(r, list) {
			return noMatch(r, list)
		}
	}
	return nil
}

func anyMatch(r rule, list []string) bool {
	for _, s := range list {
		if r.match(s) {
			return true
		}
	}
	return false
}

// subjects lists the node names and the distinct operator types of m, in order.
func subjects(m *graph.Model) (names, ops []string) {
	seen := map[string]bool{}
	for n := range m.All() {
		names = append(names, nodeName(n))
		if !seen[n.Op()] {
			seen[n.Op()] = true
			ops = append(ops, n.Op())
		}
	}
	return names, ops
}

func noMatch(r rule, list []string) error {
	kind := "node"
	if r.ops {
		kind = "operator type"
	}
	e := diag.New("OP2007", fmt.Sprintf("%s %s matches no %s", r.flag, r.text, kind))
	word := strings.Trim(strings.TrimPrefix(r.text, "re:"), "^$*?.")
	if near := diag.DidYouMean(word, list); near != "" {
		return e.Hinted("%s", near)
	}
	if r.ops {
		return e.With("operators", strings.Join(list, ", "))
	}
	return e.Hinted("onnxpass dump lists the names")
}
