package calib

import (
	"maps"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Table holds statistics of the values of one model over one set of samples.
type Table struct {
	Model   string // digest of the model; "" when it was not needed
	Samples string // digest of the samples; several, sorted and joined by "+", after Merge
	Runner  string // name of the runner that computed the values

	stats        map[string]*Stats
	unobservable map[string]string
}

// NewTable is an empty table.
func NewTable(model, samples string) *Table {
	return &Table{Model: model, Samples: samples, stats: map[string]*Stats{}, unobservable: map[string]string{}}
}

// Stats are the statistics of a value, nil when it was not asked for or is unobservable.
func (t *Table) Stats(value string) *Stats { return t.stats[value] }

// Unobservable is the reason why a value has no statistics; "" when there is none.
func (t *Table) Unobservable(value string) string { return t.unobservable[value] }

// Values are the names of the values with statistics, sorted.
func (t *Table) Values() []string { return slices.Sorted(maps.Keys(t.stats)) }

// Merge adds the statistics of the same model over other samples. It keeps
// what both tables know; merging into a new table copies.
func (t *Table) Merge(o *Table) error {
	if t.Samples == "" && len(t.stats) == 0 {
		*t = *NewTable(o.Model, o.Samples)
		t.Runner = o.Runner
		for name, s := range o.stats {
			t.stats[name] = s.clone()
		}
		maps.Copy(t.unobservable, o.unobservable)
		return nil
	}
	samples, overlap := joinDigests(t.Samples, o.Samples)
	if t.Model != o.Model || t.Runner != o.Runner || overlap {
		return diag.New("OP6030", "statistics tables do not fit together",
			"model", t.Model+" and "+o.Model, "samples", t.Samples+" and "+o.Samples, "runtime", t.Runner+" and "+o.Runner).
			Hinted("merge tables of the same model and runtime over different samples")
	}
	t.Samples = samples
	for name, s := range t.stats {
		if other := o.stats[name]; other != nil {
			s.merge(other)
			s.mergeChannels(other)
		} else {
			delete(t.stats, name)
		}
	}
	maps.Copy(t.unobservable, o.unobservable)
	return nil
}

// joinDigests is the set union of digests joined by "+".
func joinDigests(a, b string) (joined string, overlap bool) {
	all := append(strings.Split(a, "+"), strings.Split(b, "+")...)
	slices.Sort(all)
	n := len(all)
	all = slices.Compact(all)
	return strings.Join(all, "+"), len(all) != n
}
