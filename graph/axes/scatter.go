package axes

// elements is for GatherElements and ScatterElements: along one axis indices
// pick, along the others all operands run together.
func elements(w *walk) string {
	n := w.n
	along := int(n.Int("axis", 0))
	if along < 0 {
		along += rank(n.In(0))
	}
	for i := range rank(n.In(0)) {
		if i == along {
			continue
		}
		w.same(w.in(0, i), w.in(1, i))
		w.same(w.in(1, i), w.out(0, i))
		w.same(w.in(2, i), w.out(0, i))
	}
	return "it is looked up by index"
}

// gatherND picks blocks: behind the indexed axes they are passed, batches run together.
func gatherND(w *walk) string {
	const text = "it is looked up by index"
	x, idx := w.n.In(0), w.n.In(1)
	batch, q := int(w.n.Int("batch_dims", 0)), rank(idx)
	if q == 0 || batch < 0 || batch >= q {
		return text
	}
	for i := range q - 1 {
		w.same(w.at(idx, i), w.out(0, i))
		if i < batch {
			w.same(w.at(x, i), w.out(0, i))
		}
	}
	depth := int(idx.Shape().Dims[q-1].Value)
	if depth < 1 {
		return text
	}
	for i := batch + depth; i < rank(x); i++ {
		w.same(w.at(x, i), w.out(0, i-batch-depth+q-1))
	}
	return text
}

// scatterND writes blocks: behind the indexed axes all operands run together. Every block is written, so that the list of them stays.
func scatterND(w *walk) string {
	const text = "it is looked up by index"
	x, idx := w.n.In(0), w.n.In(1)
	q := rank(idx)
	if q == 0 || idx.Shape().Dims[q-1].Value < 1 {
		return text
	}
	depth := int(idx.Shape().Dims[q-1].Value)
	for i := depth; i < rank(x); i++ {
		w.same(w.at(x, i), w.out(0, i))
		w.same(w.in(2, i-depth+q-1), w.out(0, i))
	}
	return text
}

// oneHot adds an axis of classes; the axes of the indices pass.
func oneHot(w *walk) string {
	along := int(w.n.Int("axis", -1))
	if along < 0 {
		along += rank(w.n.Out(0))
	}
	for i := range rank(w.n.In(0)) {
		to := i
		if i >= along {
			to++
		}
		w.same(w.in(0, i), w.out(0, to))
	}
	return "it counts classes"
}

// stacks of matrices pass what is in front of the last two axes.
func triangles(w *walk) string {
	w.pass(w.n.In(0), w.n.Out(0), -1, -2)
	return "a triangle of the matrix is taken"
}

// reverse turns sequences around.
func reverse(w *walk) string {
	w.pass(w.n.In(0), w.n.Out(0), int(w.n.Int("time_axis", 0)), int(w.n.Int("batch_axis", 1)))
	return "sequences run along this axis"
}

// compress takes some indices of one axis; without an axis, of all elements.
func compress(w *walk) string {
	if w.n.Attr("axis") != nil {
		w.pass(w.n.In(0), w.n.Out(0), int(w.n.Int("axis", 0)))
	}
	return "some of this axis are taken"
}

// centre crops or pads the axes that it names.
func centre(w *walk) string {
	var except []int
	list := w.n.Ints("axes", nil)
	for i := range rank(w.n.In(0)) {
		if list == nil || indexOf(list, i, rank(w.n.In(0))) >= 0 {
			except = append(except, i)
		}
	}
	w.pass(w.n.In(0), w.n.Out(0), except...)
	return "it is cropped or padded"
}

// columns is Col2Im: each channel is a block of rows of the input.
func columns(w *walk) string {
	x, y := w.in(0, 1), w.out(0, 1)
	w.same(w.in(0, 0), w.out(0, 0))
	if x == none || y == none || w.width[y] < 2 || w.width[x]%w.width[y] != 0 {
		return "blocks do not divide the channels"
	}
	each := w.width[x] / w.width[y]
	for i := range w.width[x] {
		w.unite(x, i, y, i/each)
	}
	return "blocks of positions are moved"
}

// castLike takes the type of its second input only.
func castLike(w *walk) string {
	w.pass(w.n.In(0), w.n.Out(0))
	for i := range rank(w.n.In(1)) {
		w.touch(w.in(1, i))
	}
	return ""
}

// skipNorm adds a shortcut and normalises the last axis.
func skipNorm(w *walk) string {
	for i := range rank(w.n.In(0)) - 1 {
		w.same(w.in(0, i), w.out(0, i))
		w.same(w.in(0, i), w.out(3, i))
	}
	if w.n.In(1) != nil && rank(w.n.In(1)) == rank(w.n.In(0)) {
		w.pass(w.n.In(1), w.n.Out(0), -1)
	}
	return "all channels share one statistic"
}

// fusedConv is a convolution with a shortcut that is added and an activation.
func fusedConv(w *walk) string {
	w.pass(w.n.In(3), w.n.Out(0), 2, 3, 4)
	return w.convolve(1, 0, 2)
}

// fusedMatMul is a product with factors that may be transposed; only the plain one is followed.
func fusedMatMul(w *walk) string {
	for _, name := range []string{"transA", "transBatchA", "transB", "transBatchB"} {
		if w.n.Int(name, 0) != 0 {
			return "its factors are transposed"
		}
	}
	return matMul(w)
}
