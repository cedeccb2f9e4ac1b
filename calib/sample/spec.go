package sample

import (
	"fmt"
	"os"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// spec is one --data argument: a path, for one input when it has a name.
type spec struct{ input, path string }

// parseSpec splits IN=PATH at an equals sign behind the name of an input;
// names and paths may contain such signs themselves.
func parseSpec(s string, ports []calib.Port) (spec, error) {
	best := spec{path: s}
	for _, p := range ports {
		if path, ok := strings.CutPrefix(s, p.Name+"="); ok && len(p.Name) > len(best.input) {
			best = spec{p.Name, path}
		}
	}
	name, _, split := strings.Cut(s, "=")
	if best.input != "" || !split {
		return best, nil
	}
	if _, err := os.Stat(s); err == nil {
		return best, nil
	}
	return spec{}, diag.New("OP6011", "the model has no input of this name", "data", s, "input", name, "wanted", names(ports)).
		Hinted("write IN=PATH with one of the model's inputs, or only the path")
}

func names(ports []calib.Port) string {
	list := make([]string, len(ports))
	for i, p := range ports {
		list[i] = p.Name
	}
	return strings.Join(list, ", ")
}

func parseSpecs(list []string, ports []calib.Port) ([]spec, error) {
	specs := make([]spec, len(list))
	named := 0
	for i, s := range list {
		var err error
		if specs[i], err = parseSpec(s, ports); err != nil {
			return nil, err
		}
		if specs[i].input != "" {
			named++
		}
	}
	if named > 0 && named < len(specs) {
		return nil, diag.New("OP6011", "some samples are given for an input and some are not", "data", fmt.Sprint(list)).
			Hinted("write IN=PATH everywhere, or nowhere")
	}
	return specs, nil
}
