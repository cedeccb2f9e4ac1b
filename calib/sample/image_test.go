package sample

import (
	"image"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"pgregory.net/rapid"
)

// pixels reads what Pillow made of the fixture picture.
func pixels(t *testing.T, name string, dims ...int64) []float32 {
	t.Helper()
	x, _ := floats(t, mustLoad(t, Options{}, []calib.Port{port("x", onnx.Uint8, dims...)}, fixture(name)), 0, "x")
	return x
}

func loadPicture(t *testing.T, file string, p Preprocess, port calib.Port) ([]float32, []int64) {
	t.Helper()
	return floats(t, mustLoad(t, Options{Preprocess: p}, []calib.Port{port}, fixture(file)), 0, port.Name)
}

// Resized pictures are those of Pillow, to the bit.
func TestResizeAgainstPillow(t *testing.T) {
	for _, c := range []struct {
		golden, filter string
		h, w           int64
	}{
		{"bilinear_down", "bilinear", 10, 16}, {"bilinear_up", "bilinear", 40, 50},
		{"bicubic_down", "bicubic", 10, 16}, {"bicubic_up", "bicubic", 40, 50}, {"nearest_down", "nearest", 10, 16},
	} {
		t.Run(c.golden, func(t *testing.T) {
			want := pixels(t, c.golden+".npy", c.h, c.w, 3)
			got, _ := loadPicture(t, "picture.png", Preprocess{Scale: 1, Filter: c.filter}, port("x", onnx.Float, 1, c.h, c.w, 3))
			if !slices.Equal(got, want) {
				t.Errorf("differs by %v levels", largest(got, want))
			}
		})
	}
}

func largest(a, b []float32) (d float64) {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

func TestCoverAgainstPillow(t *testing.T) {
	want := pixels(t, "cover.npy", 14, 14, 3)
	got, _ := loadPicture(t, "picture.png", Preprocess{Scale: 1, Fit: "cover", Ratio: 0.875}, port("x", onnx.Float, 14, 14, 3))
	if !slices.Equal(got, want) {
		t.Errorf("differs by %v levels", largest(got, want))
	}
}

func TestFormatsAgree(t *testing.T) {
	p := port("x", onnx.Uint8, 1, 23, 37, 3)
	png, _ := loadPicture(t, "picture.png", Preprocess{}, p)
	for _, other := range []string{"picture.webp", "alpha.png"} {
		if x, _ := loadPicture(t, other, Preprocess{}, p); !slices.Equal(x, png) {
			t.Errorf("%s differs from picture.png by %v", other, largest(x, png))
		}
	}
	// One colour survives JPEG up to the rounding of its colour transform.
	x, _ := loadPicture(t, "plain.jpg", Preprocess{}, port("x", onnx.Uint8, 1, 16, 24, 3))
	for i, want := range []float32{200, 100, 50} {
		if d := math.Abs(float64(x[i] - want)); d > 2 {
			t.Errorf("jpeg channel %d: %v, want %v", i, x[i], want)
		}
	}
}

func TestGreyAgainstPillow(t *testing.T) {
	want := pixels(t, "luma.npy", 23, 37)
	for _, file := range []string{"picture.png", "grey.png"} {
		got, _ := loadPicture(t, file, Preprocess{Scale: 1}, port("x", onnx.Float, 1, 1, 23, 37))
		if d := largest(got, want); d > 0 {
			t.Errorf("%s differs by %v levels", file, d)
		}
	}
}

func TestColourOrderLayoutAndNumbers(t *testing.T) {
	rgb, _ := loadPicture(t, "picture.png", Preprocess{Scale: 1}, port("x", onnx.Float, 1, 3, 23, 37))
	bgr, _ := loadPicture(t, "picture.png", Preprocess{Scale: 1, Color: "bgr"}, port("x", onnx.Float, 1, 23, 37, 3))
	n := 23 * 37
	for i := range n {
		for c := range 3 {
			if rgb[c*n+i] != bgr[3*i+2-c] {
				t.Fatalf("pixel %d channel %d: %v and %v", i, c, rgb[c*n+i], bgr[3*i+2-c])
			}
		}
	}
	imagenet, err := Preset("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	imagenet.Fit, imagenet.Ratio = "", 0
	x, _ := loadPicture(t, "picture.png", imagenet, port("x", onnx.Float, 1, 3, 23, 37))
	for c, mean := range []float64{0.485, 0.456, 0.406} {
		want := (float64(rgb[c*n+50])/255 - mean) / []float64{0.229, 0.224, 0.225}[c]
		if got := float64(x[c*n+50]); math.Abs(got-want) > 1e-5 {
			t.Errorf("channel %d: %v, want %v", c, got, want)
		}
	}
	half, _ := loadPicture(t, "picture.png", Preprocess{Scale: 1}, port("x", onnx.Float16, 1, 3, 23, 37))
	if !slices.Equal(half, rgb) { // 0..255 is exact in float16
		t.Error("float16 input differs")
	}
}

func TestPlace(t *testing.T) {
	p := port("x", onnx.Float, 1, 3, 100, 200)
	open := port("x", onnx.Float, 1, 3, -1, -1)
	line := port("x", onnx.Float, 1, 3, 48, -1)
	for _, c := range []struct {
		name string
		port calib.Port
		pre  Preprocess
		in   Size
		out  Size
		rect image.Rectangle
	}{
		{"stretch", p, Preprocess{}, Size{50, 50}, Size{200, 100}, image.Rect(0, 0, 200, 100)},
		{"letterbox", p, Preprocess{Fit: "letterbox"}, Size{50, 50}, Size{200, 100}, image.Rect(50, 0, 150, 100)},
		{"letterbox topleft", p, Preprocess{Fit: "letterbox", Anchor: "topleft"}, Size{100, 30}, Size{200, 100}, image.Rect(0, 0, 200, 60)},
		{"cover", p, Preprocess{Fit: "cover"}, Size{50, 50}, Size{200, 100}, image.Rect(0, -50, 200, 150)},
		{"resize and cut", p, Preprocess{Resize: Size{220, 110}}, Size{50, 50}, Size{200, 100}, image.Rect(-10, -5, 210, 105)},
		{"own size", open, Preprocess{}, Size{50, 40}, Size{50, 40}, image.Rect(0, 0, 50, 40)},
		{"crop of open size", open, Preprocess{Resize: Size{64, 64}, Crop: Size{32, 16}}, Size{50, 40}, Size{32, 16}, image.Rect(-16, -24, 48, 40)},
		{"line of text", line, Preprocess{}, Size{300, 24}, Size{600, 48}, image.Rect(0, 0, 600, 48)},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pre.Scale = 1
			q, err := newPicture(c.port, c.pre)
			if err != nil {
				t.Fatal(err)
			}
			out, rect, err := q.place(c.in)
			if err != nil || out != c.out || rect != c.rect {
				t.Errorf("%v %v %v, want %v %v", out, rect, err, c.out, c.rect)
			}
		})
	}
}

func TestLetterboxPads(t *testing.T) {
	x, shape := loadPicture(t, "plain.jpg", Preprocess{Scale: 1, Fit: "letterbox", Pad: 114}, port("x", onnx.Float, 1, 24, 24, 3))
	if !slices.Equal(shape, []int64{1, 24, 24, 3}) || x[0] != 114 || x[3*24*23] != 114 || math.Abs(float64(x[3*24*12]-200)) > 2 {
		t.Errorf("%v corner %v, bottom %v, middle %v", shape, x[0], x[3*24*23], x[3*24*12])
	}
}

func TestFoldersOfPicturesInNaturalOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cats/10.png", "cats/9.png", "dogs/1.PNG", ".hidden/x.png", "labels.txt"} {
		copyFile(t, fixture("picture.png"), filepath.Join(dir, name))
	}
	set := mustLoad(t, Options{Preprocess: Preprocess{Scale: 1}}, []calib.Port{port("x", onnx.Float, 2, 3, 8, 8)}, dir)
	if set.Len() != 2 {
		t.Fatalf("%d samples of a batch of 2, want 2", set.Len())
	}
	_, shape := floats(t, set, 1, "x")
	if !slices.Equal(shape, []int64{2, 3, 8, 8}) || filepath.Base(set.Name(1)) != "1.PNG and following" {
		t.Errorf("%v %q", shape, set.Name(1))
	}
}

// Any picture comes out in the size asked for, or with an error.
func TestAnySize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.IntRange(1, 60)
		in := image.NewRGBA(image.Rect(0, 0, side.Draw(t, "w"), side.Draw(t, "h")))
		p := Preprocess{
			Scale: 1, Pad: 7, Ratio: rapid.SampledFrom([]float64{0, 0.5, 0.875}).Draw(t, "ratio"),
			Fit:    rapid.SampledFrom([]string{"stretch", "cover", "letterbox"}).Draw(t, "fit"),
			Anchor: rapid.SampledFrom([]string{"center", "topleft"}).Draw(t, "anchor"),
			Filter: rapid.SampledFrom([]string{"bilinear", "bicubic", "linear", "nearest"}).Draw(t, "filter"),
		}
		if rapid.Bool().Draw(t, "resize") {
			p.Resize = Size{side.Draw(t, "rw"), side.Draw(t, "rh")}
		}
		h, w := int64(side.Draw(t, "oh")), int64(side.Draw(t, "ow"))
		q, err := newPicture(port("x", onnx.Float, 1, 3, h, w), p)
		if err != nil {
			t.Fatal(err)
		}
		out, err := q.bring(in)
		if err != nil {
			return
		}
		a, err := q.numbers8(out)
		if err != nil || !slices.Equal(a.Shape, []int64{1, 3, h, w}) || len(a.Bytes) != int(12*h*w) {
			t.Fatalf("%v %v", a.Shape, err)
		}
	})
}
