package openvino

import (
	"context"
	"strings"

	"github.com/onnxpass/onnxpass/calib/runtimelib"
)

// Status is what is known about the OpenVINO in reach.
type Status struct {
	Path    string   `json:"path,omitempty"`    // the C library; empty when none is usable
	Source  string   `json:"source,omitempty"`  // "Python package", "--openvino-lib", ...
	Version string   `json:"version,omitempty"` // "2026.4.1"
	Tried   []string `json:"tried"`             // places that were looked at, with what was wrong there
}

// Discover starts a Process (exe with args) with the first usable library in
// the order of runtimelib.Find. A library that was asked for by flag or
// environment must load; others that do not are passed over. The status is
// useful with an error, too.
func Discover(ctx context.Context, o runtimelib.Options, exe string, args ...string) (*Process, Status, error) {
	if !runtimelib.Executes {
		_, err := Load("")
		return nil, Status{}, err
	}
	var st Status
	kind := runtimelib.OpenVINO()
	for f, place := range runtimelib.Candidates(kind, o) {
		if f.Path == "" {
			st.Tried = append(st.Tried, place)
			continue
		}
		p, err := Start(ctx, f.Path, exe, args...)
		if err == nil {
			st.Tried = append(st.Tried, place)
			st.Path, st.Source, st.Version = f.Path, f.Source, strings.TrimPrefix(p.Name(), "openvino ")
			return p, st, nil
		}
		if f.Asked || ctx.Err() != nil {
			return nil, st, err
		}
		st.Tried = append(st.Tried, place+": "+err.Error())
	}
	return nil, st, runtimelib.NotFound(kind, o, st.Tried)
}
