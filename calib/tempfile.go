package calib

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// TempFile writes m to a folder of its own below the system's temporary
// folder, for runtimes that load files; remove deletes the folder. Weights of
// a large model go to a data file beside it, which runtimes map into memory.
// The error is OP1004.
func TempFile(m *onnx.Model) (path string, remove func() error, err error) {
	dir, err := os.MkdirTemp("", "onnxpass-")
	if err != nil {
		return "", nil, noRoom(err)
	}
	path = filepath.Join(dir, "model.onnx")
	if err := writeTemp(path, m); err != nil {
		os.RemoveAll(dir)
		return "", nil, noRoom(err)
	}
	return path, func() error { return os.RemoveAll(dir) }, nil
}

// mapFrom is the size of weights from which mapping a data file is cheaper
// for a runtime than parsing them out of the model.
const mapFrom = 64 << 20

func writeTemp(path string, m *onnx.Model) error {
	if weights(m.Graph) >= mapFrom {
		return onnx.Save(path, m, onnx.SaveOptions{External: onnx.ExternalAlways, Unsynced: true})
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := onnx.Write(f, m); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// weights is the size of the initializers and constants, in bytes.
func weights(g *onnx.Graph) int64 {
	var n int64
	if g == nil {
		return 0
	}
	for _, t := range g.Initializer {
		n += size(t)
	}
	for _, node := range g.Node {
		for _, a := range node.Attribute {
			n += size(a.T)
			n += weights(a.G)
		}
	}
	return n
}

func size(t *onnx.Tensor) int64 {
	if t == nil || t.Data == nil {
		return 0
	}
	return t.Data.Len()
}

// noRoom leaves errors about the model itself as they are.
func noRoom(err error) error {
	if d := (*diag.Error)(nil); errors.As(err, &d) {
		return err
	}
	return diag.New("OP1004", "the model could not be written to the temporary folder", "folder", os.TempDir()).Wrap(err)
}
