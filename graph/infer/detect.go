package infer

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// nonMaxSuppression lists (batch, class, box) of what stays.
func nonMaxSuppression(c *call) error {
	c.setType(0, onnx.Int64, Of(Dynamic(), Static(3)))
	return nil
}

// depthToSpace moves blocks of channels into the image.
func depthToSpace(c *call) error {
	return c.blocks(func(channels, height, width Dim, b int64) (Dim, Dim, Dim) {
		area := mul(Static(b), Static(b))
		return exactDiv(channels, area), mul(element(height), Static(b)), mul(element(width), Static(b))
	})
}

// spaceToDepth moves blocks of the image into channels.
func spaceToDepth(c *call) error {
	return c.blocks(func(channels, height, width Dim, b int64) (Dim, Dim, Dim) {
		area := mul(Static(b), Static(b))
		return mul(element(channels), area), exactDiv(height, Static(b)), exactDiv(width, Static(b))
	})
}

func (c *call) blocks(f func(channels, height, width Dim, b int64) (Dim, Dim, Dim)) error {
	if err := c.wantRank(0, 4, 4); err != nil {
		return err
	}
	dims, ok := c.dims(0)
	b := c.int("blocksize", 0)
	if !ok || b <= 0 {
		c.set(0, dynamic(4))
		return nil
	}
	ch, h, w := f(dims[1], dims[2], dims[3], b)
	c.set(0, Of(dims[0], size(ch), size(h), size(w)))
	return nil
}

// exactDiv divides where no remainder stays.
func exactDiv(a, b Dim) Dim {
	if a.IsStatic() && b.IsStatic() && b.Value > 0 && a.Value%b.Value == 0 {
		return Static(a.Value / b.Value)
	}
	if a.IsStatic() || !b.IsStatic() || b.Value == 0 {
		return Dynamic()
	}
	return ratio(element(a), b)
}

// gridSample samples at the positions of the grid: [N, C] with the spatial axes of the grid.
func gridSample(c *call) error {
	x, ok0 := c.dims(0)
	grid, ok1 := c.dims(1)
	if !ok0 || !ok1 || len(x) != len(grid) || len(x) < 3 {
		if ok0 {
			c.set(0, dynamic(len(x)))
		}
		return nil
	}
	n, ok := equalDim(x[0], grid[0])
	if !ok {
		return c.mismatch("batch sizes differ", c.shape(0), c.shape(1))
	}
	c.set(0, Of(slices.Concat([]Dim{n, x[1]}, grid[1:len(grid)-1])...))
	return nil
}

// affineGrid makes one position for each output pixel: size is [N, C, (D,) H, W].
func affineGrid(c *call) error {
	x, ok := smallContent(c.in(1))
	if !ok || len(x.ints) != 4 && len(x.ints) != 5 {
		return nil
	}
	out := []Dim{size(x.ints[0])}
	for _, e := range x.ints[2:] {
		out = append(out, size(e))
	}
	c.set(0, Of(append(out, Static(int64(len(x.ints)-2)))...))
	return nil
}

// det is the determinant of the last two axes.
func det(c *call) error {
	if dims, ok := c.dims(0); ok && len(dims) >= 2 {
		c.set(0, Of(dims[:len(dims)-2]...))
	}
	return nil
}

// imageDecoder makes [height, width, channels].
func imageDecoder(c *call) error {
	channels := Static(3)
	if c.str("pixel_format", "RGB") == "Grayscale" {
		channels = Static(1)
	}
	c.setType(0, onnx.Uint8, Of(Dynamic(), Dynamic(), channels))
	return nil
}

// stringSplit splits each string: the pieces, and their number.
func stringSplit(c *call) error {
	if dims, ok := c.dims(0); ok {
		c.set(0, Of(append(slices.Clone(dims), Dynamic())...))
	}
	c.setType(1, onnx.Int64, c.shape(0))
	return nil
}

// tfIdf is TfIdfVectorizer: one weight for each entry of the pool.
func tfIdf(c *call) error {
	c.setElem(0, onnx.Float)
	list, _ := c.list("ngram_indexes")
	dims, ok := c.dims(0)
	if len(list) == 0 || !ok || len(dims) > 2 {
		return nil
	}
	width := slices.Max(list)
	if width < 0 || width > 1<<31 {
		return nil
	}
	c.set(0, Of(append(slices.Clone(dims[:max(len(dims)-1, 0)]), Static(width+1))...))
	return nil
}
