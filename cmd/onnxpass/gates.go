package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// parse turns the flags into gates.
func (g *gateFlags) parse() (passes.Gates, error) {
	out := passes.Gates{MinSQNR: g.minSQNR, MinCos: g.minCos, MinAgree: g.minAgree, MinAccuracy: g.minAccuracy, MaxSize: g.maxSize, MaxMACs: g.maxMACs}
	for _, text := range g.maxAbs {
		name, value := splitLast(text)
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
			return out, diag.New("OP2010", "bad value for --max-abs", "found", strconv.Quote(text), "wanted", "a number not below 0, or OUTPUT=NUMBER")
		}
		if out.MaxAbs == nil {
			out.MaxAbs = map[string]float64{}
		}
		out.MaxAbs[name] = f
	}
	return out, nil
}

// splitLast cuts NAME=VALUE at the last "=", since tensor names may hold one; without "=" there is no name.
func splitLast(s string) (name, value string) {
	if i := strings.LastIndexByte(s, '='); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

// parseShapes reads --shape and --dim.
func (d *dataFlags) parseShapes() (map[string][]int64, map[string]int64, error) {
	shapes, sizes := map[string][]int64{}, map[string]int64{}
	for _, text := range d.shapes {
		name, value := splitLast(text)
		dims, ok := parseDims(value)
		if !ok || name == "" {
			return nil, nil, diag.New("OP2010", "bad value for --shape", "found", strconv.Quote(text), "wanted", "INPUT=1x3x224x224")
		}
		shapes[name] = dims
	}
	for _, text := range d.dims {
		name, value := splitLast(text)
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 1 || name == "" {
			return nil, nil, diag.New("OP2010", "bad value for --dim", "found", strconv.Quote(text), "wanted", "NAME=SIZE with a size from 1")
		}
		sizes[name] = n
	}
	return shapes, sizes, nil
}

func parseDims(text string) ([]int64, bool) {
	var dims []int64
	for _, w := range strings.Split(strings.ReplaceAll(text, ",", "x"), "x") {
		n, err := strconv.ParseInt(w, 10, 32)
		if err != nil || n < 0 {
			return nil, false
		}
		dims = append(dims, n)
	}
	return dims, len(dims) > 0
}

func unknownName(flag, kind, name string, known []string) error {
	e := diag.New("OP2007", fmt.Sprintf("%s %s: the model has no %s of this name", flag, name, kind))
	if near := diag.DidYouMean(name, known); near != "" {
		return e.Hinted("%s", near)
	}
	if len(known) == 0 {
		return e.Hinted("the model has none at all")
	}
	return e.With("known", strings.Join(known, ", "))
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
