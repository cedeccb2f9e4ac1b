package ort

import (
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/calib/runtimelib"
)

// Status is what is known about the ONNX Runtime in reach.
type Status struct {
	Path    string   `json:"path,omitempty"`    // library file; empty when none is usable
	Source  string   `json:"source,omitempty"`  // "Python package", "--ort-lib", ...
	Version string   `json:"version,omitempty"` // "1.32.0"
	API     int      `json:"api,omitempty"`     // highest version of OrtApi that it offers; this package uses 18
	Tried   []string `json:"tried"`             // places that were looked at, with what was wrong there
}

// Discover loads the first usable library in the order of runtimelib.Find. A
// library that was asked for by flag or environment must load; one that was
// merely come across and does not load, or is too old, is passed over. The
// status is useful with an error, too.
func Discover(o runtimelib.Options) (*Runtime, Status, error) {
	if !runtimelib.Executes {
		_, err := Load("")
		return nil, Status{}, err
	}
	var st Status
	kind := runtimelib.ONNXRuntime()
	for f, place := range runtimelib.Candidates(kind, o) {
		if f.Path == "" {
			st.Tried = append(st.Tried, place)
			continue
		}
		rt, err := Load(f.Path)
		if err == nil {
			st.Tried = append(st.Tried, place)
			st.Path, st.Source, st.Version, st.API = f.Path, f.Source, rt.Version(), apiOf(rt.Version())
			return rt, st, nil
		}
		if f.Asked {
			return nil, st, err
		}
		st.Tried = append(st.Tried, place+": "+err.Error())
	}
	return nil, st, runtimelib.NotFound(kind, o, st.Tried)
}

// apiOf is the API version that came with a release: 32 for "1.32.0".
func apiOf(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(parts[1])
	return n
}
