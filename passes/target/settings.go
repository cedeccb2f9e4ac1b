package target

import (
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// Settings are the profile's answers to the quant pass, as name and text, for people.
func (p *Profile) Settings() [][2]string {
	q := p.Quant
	s := [][2]string{
		{"8-bit products", strings.Join(q.Linear, ", ")},
		{"activations", q.activations()},
		{"weights", "int8 symmetric per output channel, codes -127..127, stored as initializer + DequantizeLinear"},
		{"biases", q.biases()},
		{"residual Add", [...]string{"float", "skip input only", "both inputs", "both inputs and the output"}[q.Residual]},
		{"quantized outputs", orNone(q.Outputs)},
		{"activations in a native form", orNone(q.natives())},
		{"data movement", strings.Join(q.Movement, ", ")},
		{"pairs around movement", [...]string{"on the input", "on both sides, equal"}[btoi(q.RepeatPairs)]},
		{"Concat", [...]string{"own scale for each tensor", "one scale for inputs and output"}[q.Concat]},
		{"attention products", [...]string{"float", "scores in 8 bits, probabilities x V in float", "both in 8 bits"}[q.Attention]},
		{"per-channel activations", orNone(q.PerChannel)},
		{"one-sided activations", [...]string{"as they are", "moved to the middle of the codes"}[btoi(q.Centred)]},
		{"small shapes", q.Small.String()},
		{"recurrent operators in 8 bits", orNone(q.Dynamic)},
		{"large constants of float arithmetic", q.Codes.String() + " codes behind Cast and Mul, or float16 behind Cast: widened once, at load"},
		{"opset", fmt.Sprintf("%d to %d, written from %d; IR up to %d", p.File.OpsetMin, p.File.OpsetMax, p.File.OpsetWrite, p.File.IRMax)},
	}
	if len(p.File.Elements) > 0 {
		s = append(s, [2]string{"initializer types", typeNames(p.File.Elements)})
	}
	return s
}

func (q Quantization) activations() string {
	zero := "zero point 0"
	if q.ZeroPoint == Any {
		zero = "asymmetric; zero point 0 for tensors that are never negative"
	}
	return q.Signed.String() + " per tensor, " + zero
}

func (q Quantization) biases() string {
	if len(q.IntegerBias) == 0 {
		return q.Bias.String()
	}
	return q.Bias.String() + "; int32 for " + strings.Join(q.IntegerBias, ", ") + " without a quantized output"
}

// String names the limits.
func (s SmallShapes) String() string {
	var limits []string
	if s.MatMul > 0 {
		limits = append(limits, fmt.Sprintf("matrix products below K, N = %d and vectors", s.MatMul))
	}
	if s.Channels > 0 {
		limits = append(limits, fmt.Sprintf("convolutions below %d channels that are not a multiple of %d", s.Channels, s.Multiple))
	}
	if s.Hidden > 0 {
		limits = append(limits, fmt.Sprintf("recurrent operators below a hidden size of %d", s.Hidden))
	}
	if len(limits) == 0 {
		return "no limit"
	}
	return "float: " + strings.Join(limits, "; ")
}

func (q Quantization) natives() []string {
	var out []string
	for _, n := range q.Native {
		out = append(out, string(n))
	}
	return out
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func typeNames(list []onnx.DataType) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}
