package openvino

import "github.com/onnxpass/onnxpass/onnx"

// portNames are the names of what a model must be fed and of what it returns.
// OpenVINO is asked by these names: one of its ports may have several.
func portNames(m *onnx.Model) (in, out []string) {
	defaults := map[string]bool{}
	for _, t := range m.Graph.Initializer {
		defaults[t.Name] = true
	}
	for _, v := range m.Graph.Input {
		if !defaults[v.Name] {
			in = append(in, v.Name)
		}
	}
	for _, v := range m.Graph.Output {
		out = append(out, v.Name)
	}
	return in, out
}
