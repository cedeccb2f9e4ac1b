package calib

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
)

// Sample is one input to a model: an array for each input name.
type Sample struct {
	Name   string // for messages: file, or file and index
	Inputs map[string]Array
}

// Source is a sequence of samples that are read one at a time, in any order
// and any number of times, by several goroutines.
type Source interface {
	Len() int
	Name(i int) string
	Read(ctx context.Context, i int) (Sample, error)
	// Digest is a hash over names, contents and preprocessing of the samples with the given indices.
	Digest(indices []int) (string, error)
}

// Set is a selection of samples of one source. It is immutable.
type Set struct {
	Random bool     // the samples are random numbers, not data
	Notes  []string // what was assumed while reading, for the report

	source  Source
	indices []int
}

// NewSet is the set of all samples of a source.
func NewSet(s Source) *Set {
	set := &Set{source: s, indices: make([]int, s.Len())}
	for i := range set.indices {
		set.indices[i] = i
	}
	return set
}

// Len is the number of samples; 0 for a nil set.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.indices)
}

// Name is the name of sample i.
func (s *Set) Name(i int) string { return s.source.Name(s.indices[i]) }

// Read reads sample i. Its arrays stay valid.
func (s *Set) Read(ctx context.Context, i int) (Sample, error) {
	return s.source.Read(ctx, s.indices[i])
}

// Digest identifies names, order, contents and preprocessing of the samples.
func (s *Set) Digest() (string, error) { return s.source.Digest(s.indices) }

// Pick is the set of the samples with the given indices in s.
func (s *Set) Pick(indices []int) *Set {
	p := *s
	p.indices = make([]int, len(indices))
	for i, k := range indices {
		p.indices[i] = s.indices[k]
	}
	return &p
}

// Spread is a set of at most n samples, spread evenly over s.
func (s *Set) Spread(n int) *Set {
	if n <= 0 || n >= s.Len() {
		return s
	}
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i * s.Len() / n
	}
	return s.Pick(indices)
}

// Split divides s into a calibration set and a held-out set: the last 20 %,
// at least one sample. A single sample serves as both, and a note says so.
func (s *Set) Split() (calibration, heldOut *Set) {
	n := s.Len()
	if n < 2 {
		both := s.Pick(span(0, n))
		both.Notes = append(both.Notes[:len(both.Notes):len(both.Notes)],
			"a single sample serves both calibration and verification")
		return both, both
	}
	cut := n - max(1, n/5)
	return s.Pick(span(0, cut)), s.Pick(span(cut, n))
}

func span(from, to int) []int {
	indices := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		indices = append(indices, i)
	}
	return indices
}

// InputPorts are the inputs that samples of m must bring: the graph inputs
// without those that are initializers as well and so have a default.
func InputPorts(m *graph.Model) []Port {
	var ports []Port
	for _, v := range m.Main.Inputs() {
		if !v.IsInit() {
			ports = append(ports, Port{Name: v.Name(), Type: v.Type()})
		}
	}
	return ports
}

// String is the port as messages show it, for instance "images float32 [N,3,224,224]".
func (p Port) String() string { return fmt.Sprintf("%s %s", p.Name, p.TypeString()) }
