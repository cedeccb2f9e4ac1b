package passes

import "github.com/onnxpass/onnxpass/graph"

// Selector is the selection language: exact node names, globs, re: regular expressions, operator types.
type Selector struct{}

// Match says whether the user's selection admits n, and if not which flag excluded it.
func (s *Selector) Match(n *graph.Node) (ok bool, reason string) { panic("stub") }
