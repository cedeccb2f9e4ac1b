// Package target holds what each consumer of the written file accepts and runs
// fast, as data with a source per row, and the lint that reads the same rows.
//
// A pass asks questions of a Profile; it never tests a target's name.
package target

import (
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// Profile is one target: the runtime that will read the file.
type Profile struct {
	Name    string // as written after --target
	Title   string // the runtime and its place, for people
	Version string // versions that the facts were measured with or read in
	Summary string // one sentence: what a file for this target looks like
	Quant   Quantization
	Weights WeightOnly
	Float16 Floats16
	Float8  Floats8
	File    FileRules
	Rules   []Rule // what Lint checks and what the settings above rest on
}

// ZeroPoints says which zero points an activation may have.
type ZeroPoints int

// The zero-point policies.
const (
	ZeroOnly ZeroPoints = iota // symmetric: always 0
	Any                        // asymmetric where the tensor takes both signs
)

// Residual says how an elementwise addition of two computed tensors is quantized.
type Residual int

// The residual policies.
const (
	ResidualFloat  Residual = iota // no pair for the addition's sake
	ResidualSkip                   // the skip input only: the convolution branch fuses with the addition
	ResidualBoth                   // both inputs
	ResidualOutput                 // both inputs and the output
)

// Attention says how products of two computed tensors are quantized.
type Attention int

// The attention policies.
const (
	AttentionFloat  Attention = iota // both products in float
	AttentionScores                  // Q x K in 8 bits with symmetric operands, probabilities x V in float
	AttentionBoth                    // both products in 8 bits
)

// Concat says how the scales of concatenated tensors relate.
type Concat int

// The concatenation policies.
const (
	ConcatOwn  Concat = iota // every tensor has its own scale
	ConcatJoin               // inputs and output have one scale
)

// Native names a float activation that a runtime computes much faster in a form of its own.
type Native string

// The activations with a native form.
const (
	NativeSwish Native = "x * sigmoid(x) as com.microsoft.QuickGelu"
	NativePRelu Native = "PRelu as max(x, 0) + slope * min(x, 0)"
	NativeBound Native = "Relu and Clip as Max and Min in front of float8 codes"
)

// Quantization answers what the quant pass asks. Every field rests on rows of
// the profile's Rules; the comment names them as far as they exist.
type Quantization struct {
	Linear []string // operators with an 8-bit kernel for their product

	Signed     onnx.DataType // element type of activations that take both signs
	Unsigned   onnx.DataType // element type of activations that are never negative
	ZeroPoint  ZeroPoints
	Centred    bool     // symmetric codes, and what is added or padded in front of the quantization merges into it: one-sided activations may be moved
	PerChannel []string // operators ("DepthwiseConv") whose activation may carry one scale per channel

	Residual Residual
	Outputs  []string // operators that run in 8 bits only when their output is quantized too
	Fused    []string // activations that the runtime fuses between such an operator and the QuantizeLinear
	ShareAll bool     // every reader of a tensor that an 8-bit operator writes reads the dequantized one
	// QuantizesWeights: the runtime itself stores the float weight of a Conv or Gemm that reads DequantizeLinear in 8 bits, with one scale (R16).
	QuantizesWeights bool
	RepeatPairs      bool     // data movement needs a pair on both sides, with equal parameters
	Movement         []string // data movement operators that run on 8-bit data
	Native           []Native // float activations that are written in the runtime's own form
	ChannelPad       bool     // a Pad of channels counts as data movement
	UnsignedPad      bool     // it does where the tensor is never negative, so that its zero point is 0
	Concat           Concat

	PairSums bool // runs on x86 CPUs too that add products of unsigned and signed bytes in pairs, in 16 bits

	Attention   Attention
	MaxSequence int64 // longest sequence of an 8-bit attention product; 0: no limit

	Small SmallShapes

	Dynamic     []string      // recurrent operators with a form that quantizes its activations itself (DynamicQuantizeLSTM)
	Codes       onnx.DataType // element type of constants in 8 bits that are widened at load; unsigned ones lose their offset in an int32 subtraction
	CodesState  onnx.DataType // the same for the weights of recurrent operators
	Scale       onnx.DataType // element type of scales
	Bias        onnx.DataType // element type of biases
	IntegerBias []string      // operators whose bias is int32 behind DequantizeLinear when their output is not quantized
	Rest        onnx.DataType // element type the rest of the network runs fastest in
}

// Floats16 says what the target does with 16-bit floats.
type Floats16 struct {
	Types  []onnx.DataType // that it executes, in 16 bits or widened
	Scales bool            // pairs of a 16-bit network have 16-bit scales; otherwise 8-bit layers keep float32 ones, and stay float32 around their products
	NoBF16 []string        // operators that it runs in float16 and not in bfloat16
}

// Floats8 says what the target does with 8-bit floats on both sides of a product.
type Floats8 struct {
	Types  []onnx.DataType // element types of activations and weights
	Linear []string        // operators with a kernel for products of them
	Small  SmallShapes     // shapes below or above which there is none
	Native []Native
}

// WithFloat8 is the profile with 8-bit floats in the place of 8-bit integers; nil when the target does not take the type.
// The codes of a float type are densest around zero, so that nothing is gained by moving or widening ranges for them.
func (p *Profile) WithFloat8(t onnx.DataType) *Profile {
	if !slices.Contains(p.Float8.Types, t) {
		return nil
	}
	out := *p
	q := &out.Quant
	q.Signed, q.Unsigned, q.ZeroPoint, q.Centred, q.PerChannel = t, t, ZeroOnly, false, nil
	q.Linear, q.Small = p.Float8.Linear, p.Float8.Small
	q.Outputs, q.Fused, q.ShareAll, q.RepeatPairs, q.QuantizesWeights = nil, nil, false, false, false
	q.Native, q.PairSums, q.Dynamic, q.IntegerBias = p.Float8.Native, false, nil, nil
	if q.Residual == ResidualOutput {
		q.Residual = ResidualFloat
	}
	return &out
}

// Lacks says whether the target has no kernel for the operator in a 16-bit type that it runs otherwise.
func (f Floats16) Lacks(t onnx.DataType, op string) bool {
	return t == onnx.BFloat16 && slices.Contains(f.NoBF16, op)
}

// SmallShapes are the sizes below which an 8-bit kernel does not exist or loses. The zero value has no limits.
type SmallShapes struct {
	MatMul   int64 // least K and N of a matrix product
	GEMV     bool  // products with M or N = 1 stay float
	Channels int64 // least input and output channels of a convolution
	Hidden   int64 // least hidden size of a recurrent operator
	Multiple int64 // a convolution below Channels is still taken when its shape is regular and channels are a multiple of this; 0: never
	Volume   int64 // most positions of a convolution's kernel; 0: no limit
	Group    bool  // Channels holds for the channels of one group
}

// FileRules are the limits of the file format that a target reads.
type FileRules struct {
	OpsetMin, OpsetMax int64 // range that the reader knows
	OpsetWrite         int64 // least version that the quant pass needs written
	IRMax              int64
	Elements           []onnx.DataType // element types an initializer may have
	Forbidden          []string        // ai.onnx operators that the reader refuses
}

// Lookup returns the profile of a name, or nil.
func Lookup(name string) *Profile {
	for _, p := range profiles() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Names lists the targets in the order in which they are documented.
func Names() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.Name)
	}
	return names
}

// Runs8Bit says whether the target has an 8-bit kernel for products of the operator.
func (p *Profile) Runs8Bit(op string) bool { return slices.Contains(p.Quant.Linear, op) }

// RunsDynamic says whether the target has a form of the recurrent operator that multiplies in 8 bits.
func (p *Profile) RunsDynamic(op string) bool { return slices.Contains(p.Quant.Dynamic, op) }

// Moves says whether the operator only moves data and the target runs it on 8-bit data.
func (p *Profile) Moves(op string) bool { return slices.Contains(p.Quant.Movement, op) }

// NeedsOutput says whether the operator runs in 8 bits only with a quantized output.
func (p *Profile) NeedsOutput(op string) bool { return slices.Contains(p.Quant.Outputs, op) }

// Native says whether the activation is written in the runtime's own form.
func (p *Profile) Native(n Native) bool { return slices.Contains(p.Quant.Native, n) }

// Fuses says whether the runtime fuses the activation into the 8-bit operator before it.
func (p *Profile) Fuses(op string) bool { return slices.Contains(p.Quant.Fused, op) }

// NeedsIntegerBias says whether the operator runs in 8 bits without a quantized output only when its bias is int32.
func (p *Profile) NeedsIntegerBias(op string) bool { return slices.Contains(p.Quant.IntegerBias, op) }

// Executes16 says whether the target runs networks of a 16-bit float type.
func (p *Profile) Executes16(t onnx.DataType) bool { return slices.Contains(p.Float16.Types, t) }

// Doc is the reference text of the profile: its settings, then every rule with severity and source.
func (p *Profile) Doc() string {
	var b strings.Builder
	p.write(&b)
	return b.String()
}
