package cleanup

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// Dedupe keeps one of several equal initializers.
var Dedupe = passes.New(passes.Info{
	Name:    "dedupe",
	Summary: "keep one of several equal initializers",
	Doc: `Initializers of equal type, dims and content become one: the first in the graph, or that of an enclosing graph.
Initializers that are inputs or outputs stay, and so do scales and zero points: runtimes fuse some layers only when theirs are
their own. Content is read only where type and dims occur more than once.`,
	Phase: passes.Cleanup,
}, struct{}{}, dedupe)

func dedupe(_ context.Context, env *passes.Env, _ struct{}) error {
	d := &duplicates{seed: maphash.MakeSeed(), kinds: map[string]int{}, seen: map[*graph.Graph]map[string][]*graph.Value{}}
	graphs := scopes(env.Model)
	for _, g := range graphs {
		for _, v := range g.Initializers() {
			d.kinds[kind(v.Const())]++
		}
	}
	merged, saved := 0, int64(0)
	for _, g := range graphs {
		for _, v := range g.Initializers() {
			if v.IsInput() || v.IsOutput() || scales(v) || d.kinds[kind(v.Const())] < 2 {
				continue
			}
			if first := d.first(v); first != nil {
				if t := v.Const(); t.Data != nil {
					saved += t.Data.Len()
				}
				v.ReplaceUses(first, nil)
				v.RemoveInit()
				merged++
			}
		}
	}
	if merged > 0 {
		fact(env, "duplicates merged", "%s, %s", plural(merged, "initializer"), size(saved))
	}
	return nil
}

// scales reports whether a value is the scale or zero point of a pair. The quant
// pass shares them where that does no harm.
func scales(v *graph.Value) bool {
	for _, u := range v.Uses() {
		if !u.IsReturn() && u.Index > 0 && u.Node.Is("QuantizeLinear", "DequantizeLinear") {
			return true
		}
	}
	return false
}

// duplicates finds equal initializers. Hashes only preselect: contents are
// compared, so that the random seed has no influence.
type duplicates struct {
	seed  maphash.Seed
	kinds map[string]int
	seen  map[*graph.Graph]map[string][]*graph.Value
}

func kind(t *onnx.Tensor) string { return fmt.Sprint(t.Type, t.Dims) }

// first is an earlier initializer that is visible where v is and equal to it; nil when v is the first.
func (d *duplicates) first(v *graph.Value) *graph.Value {
	t := v.Const()
	content := contentBytes(t)
	if content == nil {
		return nil
	}
	key := fmt.Sprint(kind(t), maphash.Bytes(d.seed, content))
	for g := v.Graph(); ; g = g.Owner().Graph() {
		for _, w := range d.seen[g][key] {
			if bytes.Equal(contentBytes(w.Const()), content) {
				return w
			}
		}
		if g.Owner() == nil {
			break
		}
	}
	g := v.Graph()
	if d.seen[g] == nil {
		d.seen[g] = map[string][]*graph.Value{}
	}
	d.seen[g][key] = append(d.seen[g][key], v)
	return nil
}

// contentBytes is nil for strings and for content that cannot be read.
func contentBytes(t *onnx.Tensor) []byte {
	if t.Type == onnx.String {
		return nil
	}
	if t.Data == nil {
		return []byte{}
	}
	b, err := t.Data.Bytes()
	if err != nil {
		return nil
	}
	return b
}
