package mixed

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// The forms of weights, as options and recipes name them.
const (
	formFP32        = "fp32" // as it is, whatever float type that is
	formFP16        = "fp16"
	formInt8        = "int8"
	formInt4        = "int4"
	formCodebook256 = "codebook256"
	formCodebook16  = "codebook16"
	formVector      = "vector"
	formCodebook4   = "codebook4"
)

var formNames = []string{formFP32, formFP16, formInt8, formInt4, formCodebook256, formCodebook16, formVector, formCodebook4}

// form is a way to store weights.
type form struct {
	name   string
	format weights.Format // nil: as it is
}

// usual are the forms to choose from where the user names none: those of 8 and
// 4 bits. Smaller ones raise the SQNR at a given size and lower what detectors
// and readers of text are worth. A weight may always stay as it is.
func usual(t *target.Profile) []string {
	if t != nil && t.Weights.Unfolded {
		return []string{formFP32, formInt8, formInt4}
	}
	return []string{formFP32, formInt8, formCodebook16}
}

// tables are the forms that a target has to put together when it loads the file.
var tables = []string{formCodebook256, formCodebook16, formVector, formCodebook4}

// check refuses forms that the target would look up at every run.
func (o Options) check(t *target.Profile) error {
	for _, name := range o.Formats {
		if t.Weights.Unfolded && slices.Contains(tables, name) {
			return diag.New("OP2005", "the target does not put tables together", "option", "formats", "form", name, "target", t.Name).
				Hinted("use int8 and int4, or another --target")
		}
	}
	return nil
}

// formsOf are the forms of the names, the widest first, without duplicates.
func formsOf(names []string, t *target.Profile, threads int) []form {
	if len(names) == 0 {
		names = usual(t)
	}
	var out []form
	for _, name := range formNames {
		if slices.Contains(names, name) {
			out = append(out, form{name, formatOf(name, t, threads)})
		}
	}
	return out
}

// block is the number of columns of a matrix that share a scale in 4 bits.
const block = 32

func formatOf(name string, t *target.Profile, threads int) weights.Format {
	switch name {
	case formFP16:
		return &weights.Half{Type: onnx.Float16}
	case formInt8:
		return &weights.Integer{Bits: 8, Target: t, Threads: threads}
	case formCodebook256:
		return &palette.Format{K: 256, Scale: true, Target: t, Threads: threads}
	case formCodebook16:
		return &palette.Format{K: 16, Scale: true, Target: t, Threads: threads}
	case formCodebook4:
		return &palette.Format{K: 4, Scale: true, Target: t, Threads: threads}
	case formVector:
		return &palette.Format{K: 256, Pairs: true, Scale: true, Target: t, Threads: threads}
	case formInt4:
		return &int4{
			channel: &weights.Integer{Bits: 4, Target: t, Threads: threads},
			blocks:  &weights.Integer{Bits: 4, Block: block, Asymmetric: t.Weights.Dequantizes(onnx.Uint4), Target: t, Threads: threads},
		}
	}
	return nil
}

// int4 has a scale for each block of a matrix where the target keeps it packed, and for each channel elsewhere.
type int4 struct{ channel, blocks weights.Format }

// Name names the format.
func (f *int4) Name() string { return "int4" }

// Fit tries blocks first.
func (f *int4) Fit(s *weights.Source) (weights.Coding, string, error) {
	c, why, err := f.blocks.Fit(s)
	if err != nil || why == "" {
		return c, why, err
	}
	return f.channel.Fit(s)
}
