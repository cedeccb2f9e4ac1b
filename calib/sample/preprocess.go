package sample

import (
	"fmt"
	"slices"
	"strings"
)

// Size is the size of a picture in pixels; zero means not given.
type Size struct{ W, H int }

// maxSide bounds the size that a picture is brought to.
const maxSide = 1 << 14

// Preprocess says how pictures become model inputs: decoded to 8-bit RGB,
// resized, cut or padded, brought into colour order, then
//
//	y = (x*Scale - Mean) / Std
//
// for each channel, x in 0..255. Scale, Mean, Std and Layout apply to arrays
// as well when they are set. The zero value leaves everything as it is.
//
// # Resizing
//
// "bilinear" and "bicubic" are Pillow's filters of these names, to the bit:
// shrinking widens the kernel (torchvision's antialias), bicubic is the cubic
// convolution with a = -0.5. "linear" samples 2x2 pixels without widening, as
// OpenCV's INTER_LINEAR, up to rounding. "nearest" takes the pixel at the
// centre. JPEG files decode to levels that differ by a few of 255 from those
// of libjpeg (no smooth chroma upsampling), which no filter undoes.
// Orientation tags (EXIF) are not applied and transparency is dropped, as in
// Pillow.
type Preprocess struct {
	Preset string // name of the preset this started from, for the report

	Resize Size    // before cutting; not given: what the cut needs, see Ratio
	Crop   Size    // cut from the centre; not given: the size of the model's input
	Ratio  float64 // share of the resized side that the cut keeps when Resize is not given; 0 means 1
	Fit    string  // stretch (default), cover (keep the aspect, cut the rest) or letterbox (keep the aspect, pad)
	Anchor string  // where letterbox puts the picture: center (default) or topleft
	Pad    float32 // level around a letterboxed picture, before scaling
	Filter string  // bilinear (default), bicubic, linear or nearest

	Scale  float32   // 0 means 1
	Mean   []float32 // one for each channel or one for all; empty means 0
	Std    []float32 // the same; empty means 1
	Color  string    // rgb (default), bgr or gray; one-channel inputs take gray anyway
	Layout string    // nchw or nhwc: of arrays in the files; of pictures where the model's input shape does not tell
}

// presets are what common families of models expect of pictures.
var presets = []Preprocess{
	// torchvision's evaluation transform: short side to 256 of 224, centre cut, ImageNet statistics.
	{Preset: "imagenet", Fit: "cover", Ratio: 0.875, Scale: 1.0 / 255, Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}, Color: "rgb"},
	// Ultralytics' letterbox: centred, grey 114, RGB in 0..1.
	{Preset: "yolo", Fit: "letterbox", Pad: 114, Filter: "linear", Scale: 1.0 / 255, Color: "rgb"},
	{Preset: "unit", Scale: 1.0 / 255, Color: "rgb"},
	{Preset: "minus1", Scale: 1 / 127.5, Mean: []float32{1}, Color: "rgb"},
	{Preset: "raw", Scale: 1, Color: "rgb"},
}

// Presets are the names that Preset knows.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.Preset
	}
	return names
}

// Preset is the preprocessing of that name, whose fields may then be changed:
// imagenet, yolo, unit (0..1), minus1 (-1..1) or raw (0..255).
func Preset(name string) (Preprocess, error) {
	for _, p := range presets {
		if p.Preset == name {
			p.Mean, p.Std = slices.Clone(p.Mean), slices.Clone(p.Std)
			return p, nil
		}
	}
	return Preprocess{}, bad("preset", name, strings.Join(Presets(), ", "))
}

// check refuses unknown words and impossible numbers.
func (p Preprocess) check() error {
	for _, c := range []struct {
		what, value string
		known       []string
	}{
		{"fit", p.Fit, []string{"stretch", "cover", "letterbox"}},
		{"anchor", p.Anchor, []string{"center", "topleft"}},
		{"filter", p.Filter, []string{"bilinear", "bicubic", "linear", "nearest"}},
		{"color", p.Color, []string{"rgb", "bgr", "gray"}},
		{"layout", p.Layout, []string{"nchw", "nhwc"}},
	} {
		if c.value != "" && !slices.Contains(c.known, c.value) {
			return bad(c.what, c.value, strings.Join(c.known, ", "))
		}
	}
	for _, s := range []Size{p.Resize, p.Crop} {
		if s.W < 0 || s.H < 0 || s.W > maxSide || s.H > maxSide {
			return bad("size", fmt.Sprintf("%dx%d", s.W, s.H), fmt.Sprintf("at most %d pixels a side", maxSide))
		}
	}
	if p.Ratio < 0 || p.Ratio > 1 {
		return bad("ratio", fmt.Sprint(p.Ratio), "a share between 0 and 1")
	}
	if slices.Contains(p.Std, 0) {
		return bad("std", fmt.Sprint(p.Std), "numbers other than 0")
	}
	return nil
}

// scales tells whether numbers change or were explicitly said not to.
func (p Preprocess) scales() bool {
	return p.Scale != 0 || len(p.Mean) > 0 || len(p.Std) > 0
}

// given tells whether anything was said about how pictures become inputs.
func (p Preprocess) given() bool { return p.Preset != "" || p.scales() }

// affine are the factors of y = x*mul + add for each of n channels.
func (p Preprocess) affine(n int) (mul, add []float32, err error) {
	if bad := wrongLength(len(p.Mean), n); bad != "" {
		return nil, nil, badLength("mean", bad, n)
	}
	if bad := wrongLength(len(p.Std), n); bad != "" {
		return nil, nil, badLength("std", bad, n)
	}
	scale := p.Scale
	if scale == 0 {
		scale = 1
	}
	mul, add = make([]float32, n), make([]float32, n)
	for c := range n {
		std, mean := pick(p.Std, c, 1), pick(p.Mean, c, 0)
		mul[c], add[c] = scale/std, -mean/std
	}
	return mul, add, nil
}

func wrongLength(got, n int) string {
	if got > 1 && got != n {
		return fmt.Sprint(got)
	}
	return ""
}

func badLength(what, got string, n int) error {
	return bad(what, got+" numbers", fmt.Sprintf("one number, or one for each of the %d channels", n))
}

func pick(list []float32, c int, def float32) float32 {
	switch len(list) {
	case 0:
		return def
	case 1:
		return list[0]
	}
	return list[c]
}

// String says in words what happens to pictures, for the report.
func (p Preprocess) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if p.Preset != "" {
		add("preset %s", p.Preset)
	}
	if p.Resize.W > 0 {
		add("resize %dx%d", p.Resize.W, p.Resize.H)
	}
	add("%s %s", or(p.Fit, "stretch"), or(p.Filter, "bilinear"))
	if p.Ratio > 0 {
		add("ratio %g", p.Ratio)
	}
	if p.Fit == "letterbox" {
		add("pad %g at %s", p.Pad, or(p.Anchor, "center"))
	}
	if p.Crop.W > 0 {
		add("crop %dx%d", p.Crop.W, p.Crop.H)
	}
	add("%s", or(p.Color, "rgb"))
	add("%s", p.numbers())
	if p.Layout != "" {
		add("layout %s", p.Layout)
	}
	return strings.Join(parts, ", ")
}

// numbers is the formula in words.
func (p Preprocess) numbers() string {
	s := "x"
	if p.Scale != 0 && p.Scale != 1 {
		s = fmt.Sprintf("x*%g", p.Scale)
	}
	if len(p.Mean) > 0 {
		s = fmt.Sprintf("%s - %v", s, p.Mean)
	}
	if len(p.Std) > 0 {
		s = fmt.Sprintf("(%s) / %v", s, p.Std)
	}
	return s
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
