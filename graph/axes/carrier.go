package axes

import (
	"slices"
)

// maxRounds bounds how often the choices are looked at again for what others left of them.
const maxRounds = 64

// carriers decides the bundles: what has a single link left whose axes can
// shrink is decided first, again and again, because that settles others;
// then one open choice is made by preference, of those at attention heads
// first, because what is known of heads spreads from there.
func (w *walk) carriers() {
	for round := 0; len(w.pending) > 0; round++ {
		before := len(w.pending)
		w.pending = slices.DeleteFunc(w.pending, func(b bundle) bool {
			open := w.open(b)
			if len(open) > 1 && round < maxRounds {
				return false
			}
			w.decide(b, open)
			return true
		})
		if len(w.pending) == before {
			i := max(0, slices.IndexFunc(w.pending, func(b bundle) bool { return slices.ContainsFunc(b.links, w.headed) }))
			b := w.pending[i]
			w.pending = slices.Delete(w.pending, i, i+1)
			w.decide(b, w.open(b))
		}
	}
}

// open are the links of b along which something could still be removed.
func (w *walk) open(b bundle) []tied {
	var out []tied
	for _, t := range b.links {
		if !w.stuck(t.in) && !w.stuck(t.out) {
			out = append(out, t)
		}
	}
	return out
}

// decide picks one of the open links and freezes the axes of all others.
func (w *walk) decide(b bundle, open []tied) {
	w.n = b.node
	best, text := -1, "another axis of the reshape carries the removal"
	for i, t := range open {
		if best < 0 || w.better(t, open[best]) {
			best = i
		}
	}
	if w.options.Heads == NoHeads && slices.ContainsFunc(b.links, w.headed) {
		best, text = -1, "attention heads stay as they are"
	}
	if best >= 0 {
		w.carry(open[best])
	}
	for _, t := range b.links {
		for _, a := range []axis{t.in, t.out} {
			if best < 0 || a != open[best].in && a != open[best].out {
				w.freeze(a, b.node, text)
			}
		}
	}
}

// headed tells whether the link goes along the heads of an attention layer: the
// axis that stacks the matrices of a product of two activations.
func (w *walk) headed(t tied) bool { return w.marked(t.in, batched) || w.marked(t.out, batched) }

// better prefers what the options want of attention, then the link with more
// classes. Where heads are merged of groups and repetitions, the groups come first.
func (w *walk) better(t, than tied) bool {
	a, b := w.headed(t), w.headed(than)
	if a != b {
		return a == (w.options.Heads == WholeHeads)
	}
	return !a && t.classes > than.classes
}
