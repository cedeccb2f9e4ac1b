package axes

import (
	"fmt"

	"github.com/onnxpass/onnxpass/onnx"
)

// Select is t with only the listed indices of each axis; a nil list keeps the
// axis. Indices must be in range. Elements of 4 bits or of whole bytes are
// possible; t is not changed.
func Select(t *onnx.Tensor, kept [][]int) (*onnx.Tensor, error) {
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	bits := t.Type.Bits()
	if bits != 4 && bits < 8 || bits > 8 && bits%8 != 0 {
		return nil, fmt.Errorf("elements of type %s cannot be cut", t.Type)
	}
	dims := make([]int64, len(t.Dims))
	lists := make([][]int, len(t.Dims))
	total := int64(1)
	for i, d := range t.Dims {
		dims[i], lists[i] = d, kept[i]
		if kept[i] != nil {
			dims[i] = int64(len(kept[i]))
		}
		total *= dims[i]
	}
	size, ok := t.Type.RawSize(total)
	if !ok {
		return nil, fmt.Errorf("it is too large")
	}
	out := make([]byte, size)
	g := gatherer{src: raw, dst: out, dims: t.Dims, kept: lists, nibbles: bits == 4, width: max(1, bits/8)}
	g.copy(0, 0)
	small := onnx.NewTensor(t.Type, dims, out)
	small.Name, small.DocString, small.MetadataProps = t.Name, t.DocString, t.MetadataProps
	return small, nil
}

// gatherer copies the kept elements in order.
type gatherer struct {
	src, dst []byte
	dims     []int64
	kept     [][]int
	nibbles  bool
	width    int // bytes of an element
	done     int // elements written
}

// copy writes what is kept of the block at element offset from that axis a begins.
func (g *gatherer) copy(a int, from int64) {
	if g.whole(a) {
		n := int64(1)
		for _, d := range g.dims[a:] {
			n *= d
		}
		g.run(from, n)
		return
	}
	inner := int64(1)
	for _, d := range g.dims[a+1:] {
		inner *= d
	}
	if g.kept[a] == nil {
		for i := range g.dims[a] {
			g.copy(a+1, from+i*inner)
		}
		return
	}
	for _, i := range g.kept[a] {
		g.copy(a+1, from+int64(i)*inner)
	}
}

// whole tells whether axes from a on are kept.
func (g *gatherer) whole(a int) bool {
	for _, list := range g.kept[a:] {
		if list != nil {
			return false
		}
	}
	return true
}

// run copies n elements.
func (g *gatherer) run(from, n int64) {
	if !g.nibbles {
		w := int64(g.width)
		copy(g.dst[int64(g.done)*w:], g.src[from*w:(from+n)*w])
		g.done += int(n)
		return
	}
	for i := from; i < from+n; i++ {
		code := g.src[i/2] >> (4 * (i % 2)) & 15
		g.dst[g.done/2] |= code << (4 * (g.done % 2))
		g.done++
	}
}
