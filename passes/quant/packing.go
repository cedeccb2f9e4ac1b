package quant

import "github.com/onnxpass/onnxpass/graph"

// packing says how the weight of a layer meets its input in an integer kernel:
// channel c of the output is the sum over k < depth of weight element(c, k)
// times an element of input channel input(c, k). Kernels walk k in steps of
// two: convolutions by kernel position, then by channel (ONNX Runtime packs the
// columns of im2col in channels-last order, oneDNN blocks of four channels),
// matrix products along the rows of the matrix.
type packing struct {
	outputs, inputs, depth int
	inner                  int // neighbours in k that lie at one kernel position
	element, input         func(c, k int) int
}

// packingOf is the packing of a constant weight. Depthwise convolutions have
// none: their kernels widen to 16 bits before they multiply.
func packingOf(n *graph.Node, dims []int64) (packing, bool) {
	d := make([]int, len(dims))
	for i, x := range dims {
		d[i] = int(x)
	}
	switch {
	case len(d) > 2 && n.Is("Conv") && d[1] > 1:
		return convPacking(d, int(n.Int("group", 1))), true
	case len(d) > 2 && n.Is("ConvTranspose") && d[0] > int(n.Int("group", 1)):
		return transposePacking(d, int(n.Int("group", 1))), true
	case len(d) == 2 && n.Is("Gemm") && n.Int("transB", 0) != 0:
		return matrixPacking(1, d[1], d[0], 1, d[1]), true
	case len(d) == 2 && n.Is("Gemm"):
		return matrixPacking(1, d[0], d[1], d[1], 1), true
	case len(d) >= 2 && n.Is("MatMul"):
		rows, columns := d[len(d)-2], d[len(d)-1]
		return matrixPacking(int(elements(dims[:len(dims)-2])), rows, columns, columns, 1), true
	}
	return packing{}, false
}

// convPacking is for a filter [M, C / group, kernel...].
func convPacking(d []int, group int) packing {
	channels, positions := d[1], 1
	for _, k := range d[2:] {
		positions *= k
	}
	perGroup := max(d[0]/max(group, 1), 1)
	return packing{
		outputs: d[0], inputs: channels * max(group, 1), depth: channels * positions, inner: channels,
		element: func(c, k int) int { return (c*channels+k%channels)*positions + k/channels },
		input:   func(c, k int) int { return c/perGroup*channels + k%channels },
	}
}

// transposePacking is for a filter [C, M / group, kernel...].
func transposePacking(d []int, group int) packing {
	group = max(group, 1)
	channels, perGroup, positions := d[0]/group, d[1], 1
	for _, k := range d[2:] {
		positions *= k
	}
	return packing{
		outputs: perGroup * group, inputs: d[0], depth: channels * positions, inner: channels,
		element: func(c, k int) int {
			return ((c/perGroup*channels+k%channels)*perGroup+c%perGroup)*positions + k/channels
		},
		input: func(c, k int) int { return c/perGroup*channels + k%channels },
	}
}

// matrixPacking is for batches of [rows, columns] matrices with the given distances between neighbours along both.
func matrixPacking(batch, rows, columns, nextRow, nextColumn int) packing {
	return packing{
		outputs: batch * columns, inputs: rows, depth: rows, inner: rows,
		element: func(c, k int) int { return c/columns*rows*columns + k*nextRow + c%columns*nextColumn },
		input:   func(_, k int) int { return k },
	}
}

// pairs lists the neighbours whose products are added in 16 bits; -1 stands
// for none. Where an odd number of channels meets several kernel positions,
// runtimes differ: ONNX Runtime goes on with the next position, oneDNN pads the
// block with zeros. Both are listed.
func (p packing) pairs() [][2]int {
	var out [][2]int
	for k := 0; k < p.depth; k += 2 {
		out = append(out, [2]int{k, k + 1})
	}
	if p.depth%2 != 0 {
		out[len(out)-1][1] = -1
	}
	if p.inner%2 == 0 || p.inner == p.depth {
		return out
	}
	for from := 0; from < p.depth; from += p.inner {
		for k := 0; k+1 < p.inner; k += 2 {
			if (from+k)%2 != 0 {
				out = append(out, [2]int{from + k, from + k + 1})
			}
		}
	}
	return out
}
