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
		if !n.Is("Conv", "ConvTranspose", "Gemm") || n.In(0) == nil || n.In(1) == nil || n.In(1).Const() == nil || n.In(1).Const().Type != onnx.Float {
			continue
		}
		if dq := n.In(0).Def(); dq != nil && dq.Is("DequantizeLinear") && oneScale(dq.In(1)) {
			n.SetIn(0, n.Before().By(passName).Op("Sum", n.In(0).Name()+"_float", n.In(0)).Out(0))
		}
	}
}

// oneScale says whether a scale serves the whole tensor.
func oneScale(v *graph.Value) bool {
	return v != nil && v.Const() != nil && elements(v.Const().Dims) == 1
}
