package palette

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// Entries is the type that table entries are rounded to.
type Entries string

// The types of entries.
const (
	Auto    Entries = "auto" // Int8 where the target keeps such weights in 8 bits and K is at most 16, else Float16
	Float32 Entries = "fp32"
	Float16 Entries = "fp16"
	Int8    Entries = "int8"
)

// Zero says whether 0 is an entry, so that zeros of the weight stay zeros.
type Zero string

// The choices of Zero.
const (
	ZeroAuto Zero = "auto" // when more than a twentieth of the elements is 0
	ZeroOn   Zero = "on"
	ZeroOff  Zero = "off"
)

// Most is the largest table: codes are bytes.
const Most = 256

// Format is weights.Format for tables.
type Format struct {
	K        int     // entries of a table, 2 to Most
	Pairs    bool    // an entry is two numbers, for neighbouring columns
	Group    int     // channels that share a table; 0: all
	Scale    bool    // each channel has a scale, its root mean square to begin with
	Entries  Entries // empty: Auto
	Zero     Zero    // empty: ZeroAuto
	Weighted bool    // errors count by the variance of the input that the column meets, where it is known
	Unique   bool    // weights of at most K distinct values are stored exactly, others not at all
	Shared   *Table  // a table for all weights in place of their own, with Scale; see NewTable
	Target   *target.Profile
	Threads  int
}

// Name names the format.
func (f *Format) Name() string {
	switch {
	case f.Unique:
		return fmt.Sprintf("table of up to %d values, exact", f.K)
	case f.Pairs:
		return fmt.Sprintf("table of %d pairs", f.K)
	}
	return fmt.Sprintf("table of %d values", f.K)
}

// zeroShare is the share of zeros from which ZeroAuto makes 0 an entry.
const zeroShare = 0.05

// Fit chooses scales and tables.
func (f *Format) Fit(s *weights.Source) (weights.Coding, string, error) {
	if !finite(s.X) {
		return nil, "the weight holds NaN or infinity", nil
	}
	c := &coding{weight: s.Weight, threads: f.Threads, group: s.Channels}
	if values := distinct(s.X, f.K); values != nil {
		c.exact(values)
		return c, "", nil
	}
	if f.Shared != nil && f.Shared.pairs && s.Cols%2 != 0 {
		return nil, "its rows have an odd number of elements, which make no pairs", nil
	}
	if f.Unique {
		return nil, fmt.Sprintf("it has more than %d distinct values", f.K), nil
	}
	c.fit(f, s)
	return c, "", nil
}

func finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// distinct are the values of x in ascending order, nil when there are more than most.
func distinct(x []float32, most int) []float32 {
	seen := make(map[float32]bool, most+1)
	last := float32(math.NaN())
	for _, v := range x {
		if v == last || seen[v] {
			continue
		}
		if len(seen) == most {
			return nil
		}
		seen[v], last = true, v
	}
	return ascending(seen)
}

// integer says whether the weight can stay in 8 bits behind DequantizeLinear.
func (f *Format) integer(w *weights.Weight) bool {
	if f.Pairs || f.Target == nil || !f.Target.Weights.Lookup || w.Const.Type != onnx.Float || w.Axis() < 0 || !w.Direct() || len(w.Dims) != 2 {
		return false
	}
	for _, u := range w.Readers {
		if !u.Node.Is("MatMul", "Gemm") || u.Index != 1 || !f.Target.Weights.Keeps(u.Node) {
			return false
		}
	}
	return w.Value.Graph().Model().Opset("") >= opsetAxis
}

// opsetAxis is the version from which DequantizeLinear has a scale for each channel.
const opsetAxis = 13

// InEightBits says whether the weight gets entries of int8, which the target keeps in 8 bits at run time.
func (f *Format) InEightBits(w *weights.Weight) bool { return f.Integers() && f.integer(w) }

// Integers says whether weights that the target keeps in 8 bits get entries of int8.
func (f *Format) Integers() bool {
	auto := f.Entries == Auto || f.Entries == ""
	return !f.Pairs && !f.Unique && f.Scale && f.Shared == nil && f.Group == 0 && f.Target != nil && f.Target.Weights.Lookup &&
		(f.Entries == Int8 || auto && f.K <= 16)
}

// entries settles Auto for a weight.
func (f *Format) entries(w *weights.Weight) Entries {
	if f.Entries != Auto && f.Entries != "" {
		return f.Entries
	}
	if f.Integers() && f.integer(w) {
		return Int8
	}
	return Float16
}
