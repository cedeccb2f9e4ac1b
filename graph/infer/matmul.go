package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// matmul is the rule of matrix products of inputs a and b (numpy.matmul).
func matmul(a, b int) rule {
	return func(c *call) error {
		s, err := c.product(c.shape(a), c.shape(b))
		if err == nil {
			c.set(0, s)
		}
		return err
	}
}

// matmulTo is matmul with a fixed element type.
func matmulTo(t onnx.DataType, a, b int) rule {
	return func(c *call) error {
		c.setElem(0, t)
		return matmul(a, b)(c)
	}
}

// product is the shape of the matrix product: leading axes broadcast, a vector counts as
// a row on the left and a column on the right and loses that axis again.
func (c *call) product(a, b Shape) (Shape, error) {
	if !a.Ranked || !b.Ranked {
		return Shape{}, nil
	}
	if len(a.Dims) == 0 || len(b.Dims) == 0 {
		return Shape{}, c.fail("OP3203", "input has the wrong rank", "rank 1 or more", fmt.Sprintf("%s and %s", a, b))
	}
	x, y := a.Dims, b.Dims
	if len(x) == 1 {
		x = []Dim{Static(1), x[0]}
	}
	if len(y) == 1 {
		y = []Dim{y[0], Static(1)}
	}
	p, q := len(x), len(y)
	if _, ok := equalDim(x[p-1], y[q-2]); !ok {
		return Shape{}, c.mismatch("inner dimensions of the product differ", a, b)
	}
	batch, ok := broadcast(Of(x[:p-2]...), Of(y[:q-2]...))
	if !ok {
		return Shape{}, c.mismatch("batch dimensions of the product do not broadcast", a, b)
	}
	out := slices.Clone(batch.Dims)
	if len(a.Dims) > 1 {
		out = append(out, x[p-2])
	}
	if len(b.Dims) > 1 {
		out = append(out, y[q-1])
	}
	return Of(out...), nil
}

// gemm is A' * B' + C on matrices.
func gemm(c *call) error {
	if c.Version >= 7 || c.Version == 0 {
		if err := c.wantRank(0, 2, 2); err != nil {
			return err
		}
	}
	if err := c.wantRank(1, 2, 2); err != nil {
		return err
	}
	rows, inner := c.matrix(0, c.flag("transA", false))
	inner2, columns := c.matrix(1, c.flag("transB", false))
	if _, ok := equalDim(inner, inner2); !ok {
		return c.mismatch("inner dimensions of the product differ", c.shape(0), c.shape(1))
	}
	c.set(0, Of(rows, columns))
	return nil
}

// matrix returns the rows and columns of input i, swapped when it is transposed.
func (c *call) matrix(i int, transposed bool) (rows, columns Dim) {
	dims, ok := c.dims(i)
	if !ok || len(dims) != 2 {
		return Dynamic(), Dynamic()
	}
	if transposed {
		return dims[1], dims[0]
	}
	return dims[0], dims[1]
}

// fusedMatmul is FusedMatMul of com.microsoft: a product with optional transpositions.
func fusedMatmul(c *call) error {
	c.setElem(0, c.elem(0))
	if c.flag("transBatchA", false) || c.flag("transBatchB", false) {
		return nil
	}
	s, err := c.product(c.swapped(0, c.flag("transA", false)), c.swapped(1, c.flag("transB", false)))
	if err == nil {
		c.set(0, s)
	}
	return err
}

func (c *call) swapped(i int, yes bool) Shape {
	s := c.shape(i)
	if n := len(s.Dims); yes && n >= 2 {
		s = Of(slices.Clone(s.Dims)...)
		s.Dims[n-1], s.Dims[n-2] = s.Dims[n-2], s.Dims[n-1]
	}
	return s
}

// einsum evaluates the equation on dimensions. Letters name axes; an ellipsis stands
// for leading axes that broadcast.
func einsum(c *call) error {
	eq := strings.ReplaceAll(c.str("equation", ""), " ", "")
	left, right, explicit := strings.Cut(eq, "->")
	terms := strings.Split(left, ",")
	if eq == "" || len(eq) > 1024 || len(terms) != len(c.In) {
		return nil
	}
	e := einsumAxes{letters: map[rune]Dim{}, ellipsis: Of()}
	for i, term := range terms {
		if !c.shape(i).Ranked {
			return nil
		}
		if err := e.bind(c, term, c.shape(i)); err != nil {
			return err
		}
	}
	if !explicit {
		right = implicitOutput(left)
	}
	out := []Dim{}
	for _, r := range strings.ReplaceAll(right, "...", ".") {
		d, ok := e.letters[r]
		switch {
		case r == '.':
			out = append(out, e.ellipsis.Dims...)
			continue
		case !ok:
			return c.fail("OP3204", "the equation names an output axis that no input has", "letters of the inputs", eq)
		}
		out = append(out, d)
	}
	c.set(0, Of(out...))
	return nil
}

type einsumAxes struct {
	letters  map[rune]Dim
	ellipsis Shape
}

// bind matches the letters of a term with the dimensions of its operand.
func (e *einsumAxes) bind(c *call, term string, s Shape) error {
	before, after, dots := strings.Cut(term, "...")
	named := len([]rune(before)) + len([]rune(after))
	if named > len(s.Dims) || !dots && named != len(s.Dims) {
		return c.mismatch("the equation does not fit an operand", fmt.Sprintf("%d axes for %q", named, term), s)
	}
	middle := len(s.Dims) - len([]rune(after))
	if dots {
		var ok bool
		if e.ellipsis, ok = broadcast(e.ellipsis, Of(s.Dims[len([]rune(before)):middle]...)); !ok {
			return c.mismatch("axes behind the ellipsis do not broadcast", e.ellipsis, s)
		}
	}
	for i, r := range []rune(before + after) {
		d := s.Dims[i]
		if dots && i >= len([]rune(before)) {
			d = s.Dims[middle+i-len([]rune(before))]
		}
		if old, seen := e.letters[r]; seen {
			var ok bool
			if d, ok = broadcastDim(old, d); !ok {
				return c.mismatch(fmt.Sprintf("axis %c has two sizes", r), old, s)
			}
		}
		e.letters[r] = d
	}
	return nil
}

// implicitOutput lists the letters that occur once, in alphabetical order, behind the ellipsis.
func implicitOutput(left string) string {
	var once []rune
	for _, r := range left {
		if r != ',' && r != '.' && strings.Count(left, string(r)) == 1 {
			once = append(once, r)
		}
	}
	slices.Sort(once)
	if strings.Contains(left, "...") {
		return "..." + string(once)
	}
	return string(once)
}
