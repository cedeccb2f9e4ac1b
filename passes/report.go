package passes

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// StepReport is what one step did. The pipeline fills in the pass, the time
// and the counts; the pass adds plans, skips, notes and records through Env.
// Everything is in a fixed order, so equal runs give equal reports (but for Seconds).
type StepReport struct {
	Pass    string  `json:"name"`
	Spec    string  `json:"spec"`             // the step as Parse reads it
	Pulled  string  `json:"pulled,omitempty"` // the pass that needed this one, when the user did not ask for it
	Planned bool    `json:"planned"`          // dry run: decided, not done
	Seconds float64 `json:"seconds"`

	NodesBefore  int        `json:"nodes_before"`
	NodesAfter   int        `json:"nodes_after"`
	NodesAdded   int        `json:"nodes_added"`
	NodesRemoved int        `json:"nodes_removed"`
	Edits        int        `json:"edits"` // changes counted by the graph
	Ops          []OpChange `json:"ops,omitempty"`

	Plan    []PlanEntry   `json:"plan,omitempty"`
	Skips   []Skip        `json:"skips,omitempty"`
	Notes   []*diag.Error `json:"notes,omitempty"`
	Layers  []Layer       `json:"layers,omitempty"`
	Regions []Region      `json:"regions,omitempty"`
	Ranges  []Range       `json:"ranges,omitempty"`
	Pools   []Pool        `json:"pools,omitempty"`
	Held    []Held        `json:"held,omitempty"`
	Facts   []Fact        `json:"facts,omitempty"`
	// Conversions are the constants that lost values on their way to a narrower float type.
	Conversions []Conversion `json:"conversions,omitempty"`

	skipIndex map[string]int
}

// OpChange is how the number of nodes of one operator type changed.
type OpChange struct {
	Op     string `json:"op"`
	Before int    `json:"before"`
	After  int    `json:"after"`
}

// PlanEntry is one decision of a pass.
type PlanEntry struct {
	Node   string `json:"node"`
	Op     string `json:"op"`
	Action string `json:"action"`           // "fold into Conv", "quantize"
	Detail string `json:"detail,omitempty"` // "u8 input, s8 weights per channel"
}

// Skip is a reason why nodes were left alone.
type Skip struct {
	Reason string   `json:"reason"`
	Count  int      `json:"count"`
	Nodes  []string `json:"nodes"` // the first MaxSkipNodes of them
}

// MaxSkipNodes bounds the names kept for one reason.
const MaxSkipNodes = 50

// Fact is a figure worth a line in the summary, for instance {"bias corrected", "31 layers"}.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Layer is what became of one layer with weights. Pointers are nil where a figure was not measured.
type Layer struct {
	Name   string `json:"name"`
	Op     string `json:"op"`
	Output string `json:"output"` // the value it computes

	Dtype       string `json:"dtype_after"`      // of the arithmetic: "int8", "float32"
	DtypeBefore string `json:"dtype_before"`     // the same before the pass
	Activation  string `json:"activation_dtype"` // "uint8", "int8", "float32"
	Weight      string `json:"weight_dtype"`     // "int8 per channel", "float32"
	Reason      string `json:"reason,omitempty"` // why the layer stayed as it was; empty when it changed

	Region string `json:"region,omitempty"` // the gate or attention that the layer lies in: "attention 'pv'"

	// Saturating counts output channels whose sums of two 8-bit products can leave 16 bits, as x86 CPUs without VNNI add them.
	Saturating *int `json:"channels_saturating,omitempty"`

	MACs        *int64 `json:"macs"`
	Params      int64  `json:"params"`
	BytesBefore int64  `json:"bytes_before"`
	BytesAfter  int64  `json:"bytes_after"`

	SQNR   *float64 `json:"sqnr_db"` // of the layer's output in the new model, 10 log10(sum ref^2 / sum err^2)
	Cosine *float64 `json:"cosine"`
	MaxAbs *float64 `json:"max_abs"`
	// OwnSQNR is the same figure for what this layer adds: its output from exact inputs.
	OwnSQNR *float64 `json:"own_sqnr_db"`
	// WeightSQNR is the same figure for the weights alone.
	WeightSQNR *float64 `json:"weight_sqnr_db"`
	// Rebuilt is absent where the layer was not rebuilt on samples.
	Rebuilt *Rebuilt `json:"rebuilt,omitempty"`
}

// Rebuilt is how a layer's weights were chosen, with mean squared errors of an
// element of its output, from quantized inputs, on samples that no form was fitted to; nil where they were not compared.
type Rebuilt struct {
	How    string   `json:"how"`        // "refit": by least squares; "feedback": rounded with error feedback; "nearest": rounded to nearest
	Before *float64 `json:"mse_before"` // with weights rounded to nearest
	After  *float64 `json:"mse_after"`
}

// Region is a group of nodes that belong together, such as a written-out LayerNorm, and what becomes of it.
type Region struct {
	Kind      string `json:"kind"` // "LayerNorm", "SiLU", "attention", ...
	Form      string `json:"form"` // "fused", or how it is written out
	Name      string `json:"name"` // of the last node
	Nodes     int    `json:"nodes"`
	Input     string `json:"input"`
	Output    string `json:"output"`
	Treatment string `json:"treatment"` // "float; pairs in front and behind only"
}

// Pool is a set of channels that can only be removed together across the layers that they run through, and what is left of it.
type Pool struct {
	Name       string `json:"name"`        // of the first layer that makes its channels
	Layers     int    `json:"layers"`      // that make channels of it
	Before     int    `json:"before"`      // channels, heads or hidden units
	After      int    `json:"after"`       //
	Each       int    `json:"each"`        // indices of its first axis that one of them has
	MACsBefore int64  `json:"macs_before"` // of the layers that it runs through
	MACsAfter  int64  `json:"macs_after"`  //
}

// Held are channels that must stay, and why.
type Held struct {
	Node     string `json:"node"`
	Channels int    `json:"channels"`
	Reason   string `json:"reason"`
}

// Range is how one tensor is quantized: real = Scale * (code - ZeroPoint).
type Range struct {
	Tensor string `json:"tensor"`
	Dtype  string `json:"dtype"`
	Method string `json:"method"` // how the range was chosen: "minmax", "mse", ...

	Scale     float64 `json:"scale"` // the largest one when there are several
	ZeroPoint int64   `json:"zero_point"`
	Channels  int     `json:"channels"` // number of scales; 1 = per tensor
	Axis      int     `json:"axis"`     // of the channels; -1 = per tensor

	Low     float64  `json:"low"` // range of the codes
	High    float64  `json:"high"`
	Min     float64  `json:"min"` // observed
	Max     float64  `json:"max"`
	Clipped *float64 `json:"clipped_pct"` // observed values outside [Low, High], in percent
	SQNR    *float64 `json:"sqnr_db"`     // estimated from the histogram
}

// Conversion is a constant that was converted to a narrower float type and has values outside its range.
type Conversion struct {
	Tensor   string  `json:"tensor"`
	Dtype    string  `json:"dtype"`
	Elements int64   `json:"elements"`
	Clamped  int64   `json:"clamped"` // finite values that became the largest one of the type
	Flushed  int64   `json:"flushed"` // values other than 0 that became 0
	Largest  float64 `json:"largest"` // finite magnitude before
}

// tidy replaces figures that JSON cannot carry: a measurement that is not
// finite was not made, a bound that is not finite is the largest number.
func (r *StepReport) tidy() {
	for i := range r.Layers {
		l := &r.Layers[i]
		for _, p := range []**float64{&l.SQNR, &l.Cosine, &l.MaxAbs, &l.OwnSQNR, &l.WeightSQNR} {
			measured(p)
		}
	}
	for i := range r.Ranges {
		g := &r.Ranges[i]
		measured(&g.Clipped)
		measured(&g.SQNR)
		for _, p := range []*float64{&g.Scale, &g.Low, &g.High, &g.Min, &g.Max} {
			bounded(p)
		}
	}
}

func measured(p **float64) {
	if *p != nil && (math.IsNaN(**p) || math.IsInf(**p, 0)) {
		*p = nil
	}
}

func bounded(p *float64) {
	switch {
	case math.IsNaN(*p):
		*p = 0
	case math.IsInf(*p, 0):
		*p = math.Copysign(math.MaxFloat64, *p)
	}
}

// Skip records that n was left alone, and why. The reason is counted, so it
// must not name n. A nil node counts without a name.
func (r *StepReport) Skip(n *graph.Node, reason string) {
	if r.skipIndex == nil {
		r.skipIndex = map[string]int{}
	}
	i, ok := r.skipIndex[reason]
	if !ok {
		i = len(r.Skips)
		r.skipIndex[reason] = i
		r.Skips = append(r.Skips, Skip{Reason: reason})
	}
	s := &r.Skips[i]
	s.Count++
	if n != nil && len(s.Nodes) < MaxSkipNodes {
		s.Nodes = append(s.Nodes, nodeName(n))
	}
}

// Fact records a figure for the summary.
func (r *StepReport) Fact(name, format string, args ...any) {
	r.Facts = append(r.Facts, Fact{name, fmt.Sprintf(format, args...)})
}
