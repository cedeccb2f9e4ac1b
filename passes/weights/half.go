package weights

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// Half stores float32 weights as float16 (or bfloat16) behind a Cast, which
// every runtime folds when it loads the file.
type Half struct {
	Type onnx.DataType // onnx.Float16 or onnx.BFloat16
}

// Name names the format.
func (f *Half) Name() string { return f.Type.String() + " storage" }

// Fit takes weights whose elements the type reaches.
func (f *Half) Fit(s *Source) (Coding, string, error) {
	if s.Const.Type != onnx.Float {
		return nil, s.Const.Type.String() + " weights", nil
	}
	for _, v := range s.X {
		if r := float64(narrowed(f.Type, v)); math.IsNaN(r) || math.IsInf(r, 0) {
			return nil, "an element is not finite in " + f.Type.String(), nil
		}
	}
	return &half{f.Type, s.Elements()}, "", nil
}

type half struct {
	elem onnx.DataType
	n    int
}

func (h *half) Unit() int { return 1 }

func (h *half) Round(_, _ int, v, _ []float32) { v[0] = narrowed(h.elem, v[0]) }

func (h *half) Scaled([]float32) Coding { return nil }

func (h *half) Bytes() int64 { return 2 * int64(h.n) }

func (h *half) Store(w *Weight, x []float32, pass string) error {
	s := newStoring(w, pass)
	v := s.init("_half", FloatTensor(h.elem, w.Dims, Tensor(w.Layout, x)))
	w.Replace(s.cast(v, "_float", w.Const.Type))
	return nil
}
