package sample

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// kernel is a resampling filter: weight at distance x in pixels, 0 beyond support.
type kernel struct {
	support float64
	at      func(x float64) float64
}

var (
	triangle = kernel{1, func(x float64) float64 { return max(0, 1-math.Abs(x)) }}
	cubic    = kernel{2, catmullRom}
)

// catmullRom is the cubic convolution of R. Keys with a = -0.5.
func catmullRom(x float64) float64 {
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// taps are the source pixels first, first+1, ... that make one result pixel,
// with weights in units of 2^-weightBits that sum to about one.
type taps struct {
	first   int
	weights []int32
}

// weightBits leaves room for 8 bits of level and overshoot in 32 bits.
const weightBits = 22

// tapsFor are the taps of result pixels [from, to) when n pixels become size.
// Shrinking widens the kernel, so that no source pixel is skipped.
func (k kernel) tapsFor(n, size, from, to int) []taps {
	scale := float64(n) / float64(size)
	wide := max(scale, 1)
	support := k.support * wide
	list := make([]taps, 0, to-from)
	for i := from; i < to; i++ {
		center := (float64(i) + 0.5) * scale
		first := max(int(center-support+0.5), 0)
		last := min(int(center+support+0.5), n)
		weights, sum := make([]float64, last-first), 0.0
		for j := range weights {
			weights[j] = k.at((float64(j+first) - center + 0.5) / wide)
			sum += weights[j]
		}
		list = append(list, taps{first, fixed(weights, sum)})
	}
	return list
}

func fixed(weights []float64, sum float64) []int32 {
	w := make([]int32, len(weights))
	for i, v := range weights {
		w[i] = int32(math.Round(v / sum * (1 << weightBits)))
	}
	return w
}

// resample writes the part of the picture, resized to size, that window shows
// into dst at to. Rows are resized first, rounded to 8 bits and clipped, then
// columns: the arithmetic of Pillow, to the bit.
func resample(dst *image.RGBA, to image.Point, src *image.RGBA, size Size, window image.Rectangle, k kernel) {
	b := src.Bounds()
	across := k.tapsFor(b.Dx(), size.W, window.Min.X, window.Max.X)
	down := k.tapsFor(b.Dy(), size.H, window.Min.Y, window.Max.Y)
	if len(across) == 0 || len(down) == 0 {
		return
	}
	top := down[0].first
	last := down[len(down)-1]
	rows := image.NewRGBA(image.Rect(0, 0, len(across), last.first+len(last.weights)-top))
	for y := range rows.Bounds().Dy() {
		line := src.Pix[(top+y)*src.Stride:]
		for x, t := range across {
			mix(rows.Pix[y*rows.Stride+4*x:], line[4*t.first:], 4, t.weights)
		}
	}
	for y, t := range down {
		for x := range across {
			mix(dst.Pix[dst.PixOffset(to.X+x, to.Y+y):], rows.Pix[(t.first-top)*rows.Stride+4*x:], rows.Stride, t.weights)
		}
	}
}

// mix is the weighted sum of pixels that lie step bytes apart.
func mix(dst, src []byte, step int, weights []int32) {
	const half = 1 << (weightBits - 1)
	r, g, b := int32(half), int32(half), int32(half)
	for i, w := range weights {
		p := src[i*step : i*step+3 : i*step+3]
		r += int32(p[0]) * w
		g += int32(p[1]) * w
		b += int32(p[2]) * w
	}
	dst[0], dst[1], dst[2], dst[3] = level(r), level(g), level(b), 255
}

func level(sum int32) uint8 { return uint8(min(max(sum>>weightBits, 0), 255)) }

// toRGBA is the picture as 8-bit RGBA whose origin is the top left corner.
func toRGBA(img image.Image) *image.RGBA {
	b := img.Bounds()
	if rgba, ok := img.(*image.RGBA); ok && b.Min == (image.Point{}) {
		return rgba
	}
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Bounds(), img, b.Min, draw.Src)
	return out
}
