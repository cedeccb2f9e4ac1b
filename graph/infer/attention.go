package infer

// heads holds the axes of an attention's operands as [batch, heads, seq, size].
type heads struct{ batch, heads, seq, size Dim }

// headsOf reads input i: rank 4, or rank 3 [batch, seq, heads*size] with a number of heads.
func (c *call) headsOf(i int, attr string) (heads, bool) {
	dims, ok := c.dims(i)
	if !ok {
		return heads{}, false
	}
	switch n := c.int(attr, 0); {
	case len(dims) == 4:
		return heads{dims[0], dims[1], dims[2], dims[3]}, true
	case len(dims) == 3 && n > 0:
		h := heads{dims[0], Static(n), dims[1], Dynamic()}
		if dims[2].IsStatic() && dims[2].Value%n == 0 {
			h.size = Static(dims[2].Value / n)
		}
		return h, true
	}
	return heads{}, false
}

// attention is Attention of ai.onnx (opset 23 on): Y, present_key, present_value, qk_matmul_output.
func attention(c *call) error {
	c.setElem(0, c.elem(0))
	c.setElem(1, c.elem(1))
	c.setElem(2, c.elem(2))
	c.setElem(3, c.elem(0))
	q, ok0 := c.headsOf(0, "q_num_heads")
	k, ok1 := c.headsOf(1, "kv_num_heads")
	v, ok2 := c.headsOf(2, "kv_num_heads")
	if !ok0 || !ok1 || !ok2 {
		return nil
	}
	if c.shape(0).Rank() == 3 {
		c.set(0, Of(q.batch, q.seq, size(mul(element(q.heads), element(v.size)))))
	} else {
		c.set(0, Of(q.batch, q.heads, q.seq, v.size))
	}
	total := c.totalSequence(k)
	c.set(1, Of(k.batch, k.heads, total, k.size))
	c.set(2, Of(v.batch, v.heads, total, v.size))
	c.set(3, Of(q.batch, q.heads, q.seq, total))
	return nil
}

// totalSequence is the length of the keys with those of the past (input 4).
func (c *call) totalSequence(k heads) Dim {
	if !c.has(4) {
		return k.seq
	}
	if past, ok := c.dims(4); ok && len(past) == 4 {
		return size(add(element(past[2]), element(k.seq)))
	}
	return Dynamic()
}

// flexAttention is FlexAttention of ai.onnx.preview: operands of rank 4.
func flexAttention(c *call) error {
	c.setElem(0, c.elem(0))
	q, ok0 := c.headsOf(0, "")
	v, ok2 := c.headsOf(2, "")
	if ok0 && ok2 {
		c.set(0, Of(q.batch, q.heads, q.seq, v.size))
	}
	return nil
}

// tensorScatter writes into a cache of fixed size.
func tensorScatter(c *call) error {
	c.setType(0, c.elem(0), c.shape(0))
	return nil
}

// causalConv is CausalConvWithState: the state holds the last k-1 columns.
func causalConv(c *call) error {
	c.setType(0, c.elem(0), c.shape(0))
	c.setElem(1, c.elem(0))
	x, ok := c.dims(0)
	w, ok1 := c.dims(1)
	if ok && ok1 && len(x) == 3 && len(w) == 3 {
		c.set(1, Of(x[0], x[1], size(sub(element(w[2]), Static(1)))))
	}
	return nil
}

// linearAttention is LinearAttention on operands [batch, seq, heads*size]; the state is
// [batch, heads, key size, value size].
func linearAttention(c *call) error {
	q, ok0 := c.headsOf(0, "q_num_heads")
	k, ok1 := c.headsOf(1, "kv_num_heads")
	v, ok2 := c.headsOf(2, "kv_num_heads")
	if !ok0 || !ok1 || !ok2 {
		return nil
	}
	c.set(0, Of(q.batch, q.seq, size(mul(element(q.heads), element(v.size)))))
	c.set(1, Of(k.batch, k.heads, k.size, v.size))
	return nil
}
