package weights

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// middle is the unsigned code of zero.
const middle = 128

// Store writes codes, scales and zero points, and the nodes that compute the weight.
func (g *grid) Store(w *Weight, x []float32, pass string) error {
	codes := g.codes(w, x)
	s := newStoring(w, pass)
	switch g.how {
	case dequantize:
		attrs, in := g.parameters(s, codes)
		s.dequantize(attrs, in...)
	case lookUp:
		s.lookUp(s.init("_q", codes), g.channelScale(s))
	default:
		w.Replace(s.scaled(s.init("_q", codes), g.channelScale(s), g.how == widenCentred))
	}
	return nil
}

// codes are those of x, packed, in the order of the file.
func (g *grid) codes(w *Weight, x []float32) *onnx.Tensor {
	t := g.codeType()
	bytes := make([]byte, len(x))
	Each(g.format.Threads, w.Channels, func(c int) {
		for k := c * w.Cols; k < (c+1)*w.Cols; k++ {
			q := int(g.code(x[k], c*g.blocks()+k%w.Cols/g.block))
			if g.how == widenCentred {
				q += middle
			}
			bytes[k] = byte(q)
		}
	})
	return onnx.NewTensor(t, w.Dims, g.packed(Tensor(w.Layout, bytes)))
}

// channelScale is the initializer of scales that broadcasts over the weight.
func (g *grid) channelScale(s *storing) *graph.Value {
	return s.init("_scale", FloatTensor(g.scaleType(), s.ChannelDims(), ByChannel(s.Layout, g.scale)))
}

// storing inserts the nodes that compute a weight.
type storing struct {
	*Weight
	pass string
	at   *graph.Cursor
	name string
}

func newStoring(w *Weight, pass string) *storing {
	return &storing{w, pass, w.Value.Graph().Begin().By(pass), w.Value.Name()}
}

func (s *storing) init(suffix string, t *onnx.Tensor) *graph.Value {
	return s.at.Graph().Init(s.name+suffix, t)
}

// dequantize makes the readers read DequantizeLinear of codes, scale and zero point.
func (s *storing) dequantize(attrs []*onnx.Attribute, in ...*graph.Value) {
	v := s.at.OpN("DequantizeLinear", "", s.name+"_dq", 1, attrs, in...).Out(0)
	s.Replace(s.typed(v, in[1].Elem()))
}

// parameters are the attributes and inputs of DequantizeLinear, per axis or in
// blocks. Symmetric codes have no zero point: the type of the codes says all there is to know.
func (g *grid) parameters(s *storing, codes *onnx.Tensor) ([]*onnx.Attribute, []*graph.Value) {
	dims, axis := []int64{int64(s.Channels)}, s.Axis()
	order := newLayout(dims, 0)
	var attrs []*onnx.Attribute
	if g.blocked() {
		dims, axis = append([]int64(nil), s.Dims...), s.Rest[0]
		dims[axis] = int64(g.blocks())
		order = newLayoutOf(dims, s.Rows)
		attrs = append(attrs, integer("block_size", int64(g.block)))
	}
	attrs = append(attrs, integer("axis", int64(axis)))
	in := []*graph.Value{s.init("_q", codes), s.init("_scale", FloatTensor(g.scaleType(), dims, Tensor(order, g.scale)))}
	if g.zero != nil {
		in = append(in, s.init("_zero", g.zeros(order)))
	}
	return attrs, in
}

// typed is v, of an element type, as the type of the weight.
func (s *storing) typed(v *graph.Value, from onnx.DataType) *graph.Value {
	if from == s.Const.Type {
		return v
	}
	return s.cast(v, "_narrow", s.Const.Type)
}

// zeros are the zero points, with the layout of the scales.
func (g *grid) zeros(order Layout) *onnx.Tensor {
	bytes := make([]byte, len(g.zero))
	for i, z := range g.zero {
		bytes[i] = byte(z)
	}
	return onnx.NewTensor(g.codeType(), order.Dims, g.packed(Tensor(order, bytes)))
}

// packed puts two codes of 4 bits into a byte.
func (g *grid) packed(codes []byte) []byte {
	if g.format.Bits == 8 {
		return codes
	}
	out := make([]byte, (len(codes)+1)/2)
	dtype.Pack4(out, codes)
	return out
}

func integer(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func (s *storing) cast(v *graph.Value, suffix string, to onnx.DataType) *graph.Value {
	return s.at.OpN("Cast", "", s.name+suffix, 1, []*onnx.Attribute{integer("to", int64(to))}, v).Out(0)
}

// scaled is codes times scale, less 128 before when the codes are unsigned.
func (s *storing) scaled(codes, scale *graph.Value, centred bool) *graph.Value {
	if centred {
		zero := s.at.Graph().Init("codes_zero_point", onnx.From(nil, []int32{middle}))
		codes = s.at.Op("Sub", s.name+"_centred", s.cast(codes, "_wide", onnx.Int32), zero).Out(0)
	}
	return s.at.Op("Mul", s.name+"_float", s.cast(codes, "_cast", s.Const.Type), scale).Out(0)
}

// lookUp makes every reader look up codes and scales instead of elements: the
// table stays as small in memory as it is in the file.
func (s *storing) lookUp(codes, scale *graph.Value) {
	for _, u := range s.Readers {
		n, out := u.Node, u.Node.Out(0)
		r := &storing{s.Weight, s.pass, n.Before().By(s.pass), out.Name()}
		v := r.at.OpN("Gather", "", r.name+"_q", 1, n.Attrs(), codes, n.In(1)).Out(0)
		k := r.at.OpN("Gather", "", r.name+"_scale", 1, n.Attrs(), scale, n.In(1)).Out(0)
		v = r.scaled(v, k, false)
		out.ReplaceUses(v, nil)
		n.Remove()
		v.Rename(r.name)
	}
	Remove(s.Value)
}
