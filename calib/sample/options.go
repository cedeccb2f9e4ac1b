package sample

import (
	"math"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// DefaultMax is how many samples are read when Options.Max is 0.
const DefaultMax = 300

// Options steer Load.
type Options struct {
	Max        int                // most samples, spread evenly over what is there; 0: DefaultMax
	Seed       uint64             // of random samples
	Dims       map[string]int64   // sizes of symbolic dimensions, by name
	Shapes     map[string][]int64 // shapes of inputs, by name
	Preprocess Preprocess         // how pictures, and arrays when it says so, become inputs
}

// mostSamples bounds the list of samples, which is in memory although their contents are not.
const mostSamples = 1_000_000

// limit is the largest number of samples to read.
func (o Options) limit() int {
	if o.Max > 0 {
		return o.Max
	}
	return DefaultMax
}

// bind puts the sizes that the user gave in place of unknown dimensions.
func (o Options) bind(ports []calib.Port) ([]calib.Port, error) {
	bound := make([]calib.Port, len(ports))
	for i, p := range ports {
		b, err := o.bindPort(p)
		if err != nil {
			return nil, err
		}
		bound[i] = b
	}
	return bound, nil
}

func (o Options) bindPort(p calib.Port) (calib.Port, error) {
	shape, given := o.Shapes[p.Name]
	if given && p.Shape.Ranked && len(shape) != len(p.Shape.Dims) {
		return p, contradiction(p, shape)
	}
	if given && !p.Shape.Ranked {
		p.Shape = infer.Shape{Ranked: true, Dims: unknownDims(len(shape))}
	}
	dims := make([]infer.Dim, len(p.Shape.Dims))
	for i, d := range p.Shape.Dims {
		size, named := o.Dims[d.Param]
		switch {
		case given && d.Value >= 0 && d.Value != shape[i]:
			return p, contradiction(p, shape)
		case given:
			d = infer.Dim{Value: shape[i]}
		case named && d.Value < 0 && d.Param != "":
			d = infer.Dim{Value: size}
		}
		dims[i] = d
	}
	p.Shape.Dims = dims
	return p, nil
}

func unknownDims(rank int) []infer.Dim {
	dims := make([]infer.Dim, rank)
	for i := range dims {
		dims[i].Value = -1
	}
	return dims
}

func contradiction(p calib.Port, shape []int64) error {
	return diag.New("OP2060", "the given shape contradicts the model", "input", p.Name,
		"model", p.TypeString(), "given", calib.Array{Type: p.Elem, Shape: shape}.String()).
		Hinted("only unknown dimensions can be given sizes")
}

// ParseSize reads WIDTHxHEIGHT, or one number for both, in pixels.
func ParseSize(s string) (Size, error) {
	w, h, both := strings.Cut(s, "x")
	if !both {
		h = w
	}
	size := Size{atoi(w), atoi(h)}
	if size.W < 1 || size.H < 1 || size.W > maxSide || size.H > maxSide {
		return Size{}, bad("size", s, "WIDTHxHEIGHT in pixels, for instance 224x224")
	}
	return size, nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// ParseNumbers reads numbers separated by commas, each of which may be a fraction such as 1/255.
func ParseNumbers(s string) ([]float32, error) {
	var list []float32
	for _, part := range strings.Split(s, ",") {
		v, err := ParseNumber(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// ParseNumber reads a finite number or a fraction of two, such as 1/255.
func ParseNumber(s string) (float32, error) {
	top, bottom, fraction := strings.Cut(s, "/")
	v, err := strconv.ParseFloat(top, 64)
	if fraction && err == nil {
		var d float64
		d, err = strconv.ParseFloat(bottom, 64)
		v /= d
	}
	if err != nil || math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
		return 0, bad("number", s, "a number or a fraction, for instance 0.5 or 1/255")
	}
	return float32(v), nil
}

func bad(what, found, wanted string) error {
	return diag.New("OP2060", "bad value for a sample option: "+what, "found", found, "wanted", wanted).
		Hinted("write one of the values it takes")
}
