package infer

import "github.com/onnxpass/onnxpass/onnx"

// windowFunction is HannWindow and its kin: as many coefficients as input 0 says.
func windowFunction(c *call) error {
	c.setType(0, c.dtype("output_datatype", onnx.Float), Of(c.lengthFrom(0)))
	return nil
}

// lengthFrom is the size that the single element of input i states.
func (c *call) lengthFrom(i int) Dim {
	x, _ := contentOf(c.in(i))
	switch {
	case len(x.ints) == 1:
		return size(x.ints[0])
	case len(x.floats) == 1:
		return size(truncated(x.floats[0], onnx.Int64))
	}
	return Dynamic()
}

// melWeights is MelWeightMatrix: [dft_length/2+1, num_mel_bins].
func melWeights(c *call) error {
	rows := Dynamic()
	if n := c.lengthFrom(1); n.IsStatic() {
		rows = Static(n.Value/2 + 1)
	}
	c.setType(0, c.dtype("output_datatype", onnx.Float), Of(rows, c.lengthFrom(0)))
	return nil
}

// dft transforms one axis; onesided keeps the first half, the last axis becomes complex.
func dft(c *call) error {
	dims, ok := c.dims(0)
	if !ok || len(dims) < 2 {
		return nil
	}
	axis, known := c.dftAxis()
	out := append([]Dim(nil), dims...)
	inverse, onesided := c.flag("inverse", false), c.flag("onesided", false)
	if inverse && onesided {
		return nil // real or complex output: definitions differ between versions
	}
	out[len(out)-1] = Static(2)
	if !known {
		for i := range out[:len(out)-1] {
			out[i] = Dynamic()
		}
		c.set(0, Of(out...))
		return nil
	}
	a, err := c.axis(axis, len(dims))
	if err != nil {
		return err
	}
	if c.has(1) {
		out[a] = c.lengthFrom(1)
	}
	if onesided {
		out[a] = half(out[a])
	}
	c.set(0, Of(out...))
	return nil
}

// half is the number of frequencies of a real signal.
func half(d Dim) Dim {
	if d.IsStatic() {
		return Static(d.Value/2 + 1)
	}
	return Dynamic()
}

func (c *call) dftAxis() (int64, bool) {
	if c.Version < 20 {
		return c.int("axis", 1), true
	}
	if !c.has(2) {
		return -2, true
	}
	return c.scalar(2)
}

// stft is STFT: [batch, frames, frequencies, 2].
func stft(c *call) error {
	dims, ok := c.dims(0)
	if !ok || len(dims) < 2 {
		c.set(0, dynamic(4))
		return nil
	}
	length := Dynamic()
	if window, ok := c.dims(2); ok && len(window) == 1 {
		length = window[0]
	} else if c.has(3) {
		length = c.lengthFrom(3)
	}
	frames, step := Dynamic(), c.lengthFrom(1)
	if d := dims[1]; d.IsStatic() && length.IsStatic() && step.IsStatic() && step.Value > 0 && d.Value >= length.Value {
		frames = Static((d.Value-length.Value)/step.Value + 1)
	}
	if c.flag("onesided", true) {
		length = half(length)
	}
	c.set(0, Of(dims[0], frames, length, Static(2)))
	return nil
}
