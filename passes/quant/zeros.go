package quant

import (
	"strconv"

	"github.com/onnxpass/onnxpass/graph"
)

// zerosKey are the zero points of weights with so many channels in one graph.
type zerosKey struct {
	graph *graph.Graph
	count int64
}

// shareZeros lets the weights of convolutions with equally many channels share
// their zero points, all zeros: in small networks these and their names make a
// twentieth of the file. Matrix products keep their own: OpenVINO leaves those
// that share one in float.
func (p *planner) shareZeros() {
	shared := map[zerosKey]*graph.Value{}
	for _, l := range p.layers {
		dq := l.node.In(1)
		if !l.int8() || l.weight == nil || !l.node.Is("Conv", "ConvTranspose") || !dequantized(dq) || dq.Def().In(2) == nil {
			continue
		}
		zero := dq.Def().In(2)
		k := zerosKey{zero.Graph(), elements(zero.Const().Dims)}
		if shared[k] == nil {
			shared[k] = k.graph.Init("zeros_"+strconv.FormatInt(k.count, 10), zeros(p.weightElem(), []int64{k.count}, int(k.count)))
		}
		dq.Def().SetIn(2, shared[k])
		removeUnused(zero)
	}
}
