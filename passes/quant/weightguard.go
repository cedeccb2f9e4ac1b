package quant

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// guardWeights keeps layers in float that are to stay in float. Where a Conv,
// ConvTranspose or Gemm with a float weight reads DequantizeLinear directly,
// ONNX Runtime 1.32 takes it for a layer whose weight was forgotten and stores
// that in 8 bits itself, with one scale for all channels: efficientnet_lite0
// lost 7 dB to one depthwise layer that was excluded. A Sum of one operand in
// between prevents it; the copy costs little beside a float layer.
func (p *planner) guardWeights() {
	if !p.profile.Quant.QuantizesWeights {
		return
	}
	for n := range p.model.Main.Nodes() {
		if !n.Is("Conv", "ConvTranspose", "Gemm") || n.In(0) == nil || !floatWeight(n.In(1)) {
			continue
		}
		if dq := n.In(0).Def(); dq != nil && dq.Is("DequantizeLinear") && oneScale(dq.In(1)) {
			n.SetIn(0, n.Before().By(passName).Op("Sum", n.In(0).Name()+"_float", n.In(0)).Out(0))
		}
	}
}

// floatWeight says whether v is a constant of floats, as it is or widened from its stored form: the runtime folds that first.
func floatWeight(v *graph.Value) bool {
	if v.Elem() != onnx.Float {
		return false
	}
	for range 5 {
		if v == nil || v.Const() != nil {
			return v != nil
		}
		n := v.Def()
		if n == nil || !n.Is("Cast", "Sub", "Mul") || n.Meta(graph.PassKey) != passName {
			return false
		}
		v = n.In(0)
	}
	return false
}

// oneScale says whether a scale serves the whole tensor.
func oneScale(v *graph.Value) bool {
	return v != nil && v.Const() != nil && elements(v.Const().Dims) == 1
}
