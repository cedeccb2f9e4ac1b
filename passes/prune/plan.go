package prune

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// planSchema names the JSON form of a plan.
const planSchema = "onnxpass.prune-plan/1"

// maxPlan bounds the size of a file with a plan or indices.
const maxPlan = 64 << 20

// planFile is a plan as it is written: what to remove of each pool of one model.
type planFile struct {
	Schema string     `json:"schema"`
	Model  string     `json:"model"` // digest of the pools and the weights that make them
	Heads  string     `json:"heads"`
	Pools  []planPool `json:"pools"`
}

type planPool struct {
	Name    string `json:"name"`
	Of      int    `json:"of"`      // classes in the pool
	Removed []int  `json:"removed"` // positions in it, ascending
}

// digest identifies pools and the weights of their channels.
func digest(a *axes.Analysis) string {
	h := sha256.New()
	for _, pool := range a.Pools {
		fmt.Fprintf(h, "%s %d\n", pool.Name, len(pool.Classes))
		for _, t := range pool.Touches {
			fmt.Fprintf(h, "%d %d %d\n", t.Axis.Axis, t.Each, t.Size)
		}
		for _, s := range pool.Sources {
			if t := s.Weight.Value.Const(); t != nil {
				if raw, err := t.Raw(); err == nil {
					_, _ = h.Write(raw)
				}
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// given is what a file says to remove, nil when the options leave the choice.
func (p *pruner) given() ([][]int, error) {
	switch {
	case p.o.Indices != "":
		return p.named()
	case p.o.PlanIn != "":
		return p.replayed()
	}
	return nil, nil
}

// writePlan writes what was removed, when the options ask for it.
func (p *pruner) writePlan() error {
	if p.o.PlanOut == "" || len(p.rounds) == 0 {
		return nil
	}
	r := p.rounds[0]
	out := planFile{Schema: planSchema, Model: p.sum, Heads: p.o.Heads, Pools: []planPool{}}
	for i, pool := range r.analysis.Pools {
		if len(r.removed[i]) == 0 {
			continue
		}
		e := planPool{Name: pool.Name, Of: len(pool.Classes)}
		for _, k := range r.removed[i] {
			e.Removed = append(e.Removed, slices.Index(pool.Classes, k))
		}
		slices.Sort(e.Removed)
		out.Pools = append(out.Pools, e)
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err == nil {
		err = os.WriteFile(p.o.PlanOut, append(text, '\n'), 0o666)
	}
	if err != nil {
		return diag.New("OP1002", "the plan cannot be written", "file", p.o.PlanOut).Wrap(err)
	}
	return nil
}

// replayed reads a plan that was written for this model.
func (p *pruner) replayed() ([][]int, error) {
	var plan planFile
	if err := readJSON(p.o.PlanIn, &plan); err != nil {
		return nil, err
	}
	if plan.Schema != planSchema {
		return nil, diag.New("OP6080", "this is no plan of channels to remove", "file", p.o.PlanIn, "wanted", "schema "+planSchema, "found", plan.Schema)
	}
	if sum := digest(p.analysis); plan.Model != sum || plan.Heads != p.o.Heads {
		return nil, diag.New("OP6081", "the plan was made for another model, or with other options", "file", p.o.PlanIn,
			"wanted", sum[:12]+" heads="+p.o.Heads, "found", fmt.Sprintf("%.12s heads=%s", plan.Model, plan.Heads)).
			Hinted("a plan fits the model, the passes before prune, --exclude and heads that it was made with; make a new one with plan-out")
	}
	index := map[string]int{}
	for i, pool := range p.analysis.Pools {
		index[pool.Name] = i
	}
	out := make([][]int, len(p.analysis.Pools))
	for _, e := range plan.Pools {
		i, ok := index[e.Name]
		if !ok || e.Of != len(p.analysis.Pools[i].Classes) {
			return nil, p.unknown(p.o.PlanIn, e.Name)
		}
		for _, k := range e.Removed {
			if k < 0 || k >= e.Of {
				return nil, diag.New("OP6082", "an index is out of range", "file", p.o.PlanIn, "pool", e.Name, "wanted", fmt.Sprintf("0 to %d", e.Of-1), "found", fmt.Sprint(k))
			}
			out[i] = append(out[i], p.analysis.Pools[i].Classes[k])
		}
	}
	return p.tidy(out)
}

// named reads the channels that the user names by node.
func (p *pruner) named() ([][]int, error) {
	var wanted map[string][]int
	if err := readJSON(p.o.Indices, &wanted); err != nil {
		return nil, err
	}
	out := make([][]int, len(p.analysis.Pools))
	pool := p.poolOf()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		at, n, err := p.channels(name)
		if err != nil {
			return nil, err
		}
		class := p.analysis.ClassesOf(at)
		for _, i := range wanted[name] {
			if i < 0 || i >= n {
				return nil, diag.New("OP6082", "an index is out of range", "file", p.o.Indices, "node", name, "wanted", fmt.Sprintf("0 to %d", n-1), "found", fmt.Sprint(i))
			}
			if class == nil || class[i] < 0 {
				return nil, diag.New("OP3504", "a channel that is to be removed must stay", "node", name, "channel", fmt.Sprint(i)).With(p.heldBy(name)...)
			}
			out[pool[class[i]]] = append(out[pool[class[i]]], class[i])
		}
	}
	return p.tidy(out)
}

// poolOf is the pool of each class.
func (p *pruner) poolOf() []int {
	out := make([]int, p.analysis.NumClasses())
	for i, pool := range p.analysis.Pools {
		for _, k := range pool.Classes {
			out[k] = i
		}
	}
	return out
}

// channels is the axis of weights that makes the channels of the node of this name.
func (p *pruner) channels(name string) (axes.Axis, int, error) {
	for _, pool := range p.analysis.Pools {
		for _, s := range pool.Sources {
			if label(s.Node) == name {
				return s.Weight, int(s.Weight.Value.Shape().Dims[s.Weight.Axis].Value), nil
			}
		}
	}
	for _, f := range p.analysis.Frozen {
		if f.Name == name {
			return f.Weight, int(f.Weight.Value.Shape().Dims[f.Weight.Axis].Value), nil
		}
	}
	return axes.Axis{}, 0, p.unknown(p.o.Indices, name)
}

// label is the name by which the user knows a node.
func label(n *graph.Node) string { return n.Label() }

// unknown says that no pool or node has this name.
func (p *pruner) unknown(file, name string) error {
	var names []string
	for _, pool := range p.analysis.Pools {
		names = append(names, pool.Name)
		for _, s := range pool.Sources {
			names = append(names, label(s.Node))
		}
	}
	return diag.New("OP6083", fmt.Sprintf("no layer %q makes channels", name), "file", file).
		Hinted("%s", diag.DidYouMean(name, names))
}

func (p *pruner) heldBy(name string) []string {
	for _, f := range p.analysis.Frozen {
		if f.Name == name {
			return []string{"reason", f.Reason.String()}
		}
	}
	return nil
}

// tidy sorts classes, drops repeated ones and refuses to empty a pool.
func (p *pruner) tidy(removed [][]int) ([][]int, error) {
	for i := range removed {
		slices.Sort(removed[i])
		removed[i] = slices.Compact(removed[i])
		if n := len(p.analysis.Pools[i].Classes); n > 0 && len(removed[i]) == n {
			return nil, diag.New("OP3504", "a pool would lose all its channels", "pool", p.analysis.Pools[i].Name, "channels", fmt.Sprint(n))
		}
	}
	return removed, nil
}

// readJSON reads a bounded JSON file.
func readJSON(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return diag.New("OP6080", "the file cannot be read", "file", path).Wrap(err)
	}
	defer f.Close()
	d := json.NewDecoder(io.LimitReader(f, maxPlan))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return diag.New("OP6080", "the file is not of the expected form", "file", path).Wrap(err).
			Hinted(`indices are written {"node": [0, 5, 7]}; a plan is what plan-out wrote`)
	}
	return nil
}
