package axes_test

import (
	"regexp"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx/text"
)

var word = regexp.MustCompile(`-?\b\d+\b|\b[A-Z][A-Za-z]+ [<(]`)

// Whatever numbers and operators a model has: analysis and removal return, and do not panic.
func TestHostileModels(t *testing.T) {
	archives(t, func(t *testing.T, _ string, ar *txtar.Archive) {
		src := string(ar.Files[0].Data)
		places := word.FindAllStringIndex(src, -1)
		ops := rapid.SampledFrom([]string{"Conv", "ConvTranspose", "Gemm", "MatMul", "Reshape", "Slice", "Gather", "Split", "Concat", "Pad", "Resize", "LSTM", "GroupNormalization",
			"DepthToSpace", "SpaceToDepth", "Tile", "Expand", "Squeeze", "Flatten", "ReduceMean", "Transpose", "Einsum", "DequantizeLinear", "Shape", "ConstantOfShape", "If"})
		reached := 0
		rapid.Check(t, func(r *rapid.T) {
			edited := src
			picks := rapid.SliceOfNDistinct(rapid.IntRange(0, len(places)-1), 1, 3, rapid.ID[int]).Draw(r, "places")
			slices.SortFunc(picks, func(a, b int) int { return b - a }) // from the back, so that places stay where they are
			for _, i := range picks {
				p := places[i]
				with := rapid.SampledFrom([]string{"0", "1", "-1", "2", "3", "7", "16", "9223372036854775807", "-9223372036854775808", "4294967297"}).Draw(r, "number")
				if c := src[p[0]]; c >= 'A' && c <= 'Z' {
					with = ops.Draw(r, "operator") + " " + src[p[1]-1:p[1]]
				}
				edited = edited[:p[0]] + with + edited[p[1]:]
			}
			if attempt(edited) {
				reached++
			}
		})
		if reached == 0 {
			t.Error("no edited model could be read")
		}
	})
}

// attempt analyses and cuts a model, if it is one.
func attempt(src string) bool {
	proto, err := text.Parse(src)
	if err != nil {
		return false
	}
	m, err := graph.Import(proto)
	if err != nil {
		return false
	}
	_ = m.Infer()
	a := axes.Analyze(m, axes.Options{})
	var classes []int
	for _, p := range a.Pools {
		classes = append(classes, p.Classes[:len(p.Classes)/2]...)
	}
	if _, err := a.Mask(classes); err == nil {
		_ = a.Cut(classes)
	}
	return true
}
