package infer

import "github.com/onnxpass/onnxpass/onnx"

// batchNorm: in training (two or more outputs) the statistics follow, one for each channel.
func batchNorm(c *call) error {
	c.set(0, c.shape(0))
	channels := c.shape(1)
	if dims, ok := c.dims(0); ok && len(dims) > 1 && !channels.Ranked {
		channels = Of(dims[1])
	}
	t := c.elem(3)
	for i := 1; i < len(c.out); i++ {
		c.setType(i, t, channels)
	}
	return nil
}

// layerNorm is LayerNormalization: mean and inverse deviation keep the axes before
// axis, the others are of size one.
func layerNorm(c *call) error {
	c.setType(0, c.elem(0), c.shape(0))
	stash := c.dtype("stash_type", onnx.Float)
	for i := 1; i < len(c.out); i++ {
		c.setElem(i, stash)
	}
	dims, ok := c.dims(0)
	if !ok || len(c.out) < 2 {
		return nil
	}
	a, err := c.axis(c.int("axis", -1), len(dims))
	if err != nil {
		return err
	}
	out := make([]Dim, len(dims))
	for i, d := range dims {
		if out[i] = d; i >= a {
			out[i] = Static(1)
		}
	}
	for i := 1; i < len(c.out); i++ {
		c.set(i, Of(out...))
	}
	return nil
}

// rmsNorm takes the shape of the input and the type of the scale.
func rmsNorm(c *call) error {
	c.setType(0, c.elem(1), c.shape(0))
	return nil
}

// nllLoss is NegativeLogLikelihoodLoss: the shape of the target, or a scalar when reduced.
func nllLoss(c *call) error {
	if c.str("reduction", "mean") == "none" {
		c.set(0, c.shape(1))
	} else {
		c.set(0, Of())
	}
	return nil
}

// softmaxLoss is SoftmaxCrossEntropyLoss: the loss, then the log probabilities.
func softmaxLoss(c *call) error {
	c.setType(1, c.elem(0), c.shape(0))
	return nllLoss(c)
}
