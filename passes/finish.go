package passes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/onnx"
)

// finish proves the new model and gives it its name, in this order.
//
// The file is written twice when it is run on samples: what was measured
// belongs into its metadata, and is known only after the first file was run.
// The second file has the same graph and is read back once more.
func (w *work) finish(ctx context.Context) error {
	w.done.Model = w.exported
	err := w.conclude(ctx)
	if ctx.Err() != nil {
		return err
	}
	if sumErr := w.hashes(); err == nil {
		err = sumErr
	}
	return err
}

func (w *work) conclude(ctx context.Context) error {
	switch {
	case w.Output == "":
		size, err := written(w.exported)
		if err != nil {
			return err
		}
		w.result.After.FileBytes = size
		if err := w.prove(ctx, w.exported); err != nil {
			return err
		}
		return w.stamp()
	case !w.runs():
		if err := w.stamp(); err != nil {
			return err
		}
		return w.save(w.Output, func(m *onnx.Model) error { return w.prove(ctx, m) })
	}
	if err := w.rehearse(ctx); err != nil {
		return err
	}
	if err := w.stamp(); err != nil {
		return err
	}
	return w.save(w.Output, func(*onnx.Model) error {
		j := &judge{}
		w.Gates.budget(j, w.result.After) // measured results make the file a little larger
		return errors.Join(j.err(), ctx.Err())
	})
}

// written is the size of m as one file.
func written(m *onnx.Model) (int64, error) {
	var n counter
	err := onnx.Write(&n, m)
	return int64(n), err
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// hashes identify the input and the samples. They are computed while other
// work is done, and waited for where they are needed.
func (w *work) hashes() error {
	sum, err := w.sum()
	if err != nil {
		return err
	}
	w.result.Input.SHA256 = sum
	if w.result.Data != nil {
		var viewErr error
		w.result.Data.SHA256, err = w.dataSum()
		w.result.Data.Inputs, viewErr = w.dataView()
		err = errors.Join(err, viewErr)
	}
	return err
}

// rehearse writes the new model under another name and proves it.
func (w *work) rehearse(ctx context.Context) error {
	parent := w.Save.TempDir
	if parent == "" {
		parent = filepath.Dir(w.Output)
	}
	dir, err := os.MkdirTemp(parent, ".onnxpass-proof-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, filepath.Base(w.Output))
	o := w.Save
	o.Unsynced = true
	if err := onnx.Save(path, w.exported, o); err != nil {
		return err
	}
	m, err := onnx.Open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	if w.result.After.FileBytes, err = fileBytes(path, m); err != nil {
		return err
	}
	return w.reject(w.prove(ctx, m))
}

// save writes the model to path after check has seen the complete file.
func (w *work) save(path string, check func(*onnx.Model) error) error {
	o := w.Save
	o.Check = func(tmp string) error {
		m, err := onnx.Open(tmp)
		if err != nil {
			return err
		}
		defer m.Close()
		if w.result.After.FileBytes, err = fileBytes(tmp, m); err != nil {
			return err
		}
		if err := check(m); err != nil {
			return w.reject(err)
		}
		return w.outputs(path, tmp, m)
	}
	err := onnx.Save(path, w.exported, o)
	if err != nil {
		w.result.Outputs = nil
	}
	return err
}

// outputs describes the files that are about to get their names.
func (w *work) outputs(path, tmp string, m *onnx.Model) error {
	for _, p := range append([]string{tmp}, m.DataFiles()...) {
		sum, err := w.outputSum(p, m)
		if err != nil {
			return err
		}
		st, err := os.Stat(p)
		if err != nil {
			return err
		}
		final := filepath.Join(filepath.Dir(path), filepath.Base(p))
		w.result.Outputs = append(w.result.Outputs, FileInfo{Path: final, Bytes: st.Size(), SHA256: sum})
	}
	return nil
}

// outputSum is the hash of a file of the output m. A copy of the input has the input's.
func (w *work) outputSum(path string, m *onnx.Model) (string, error) {
	if w.Path != "" && !w.edited() && len(m.DataFiles()) == 0 && onnx.Unaltered(w.exported) {
		return w.sum()
	}
	return digest(path, &onnx.Model{})
}

// reject keeps a file that failed a gate beside the output when that was asked for. It returns the cause.
func (w *work) reject(cause error) error {
	if !w.Keep || !errors.Is(cause, ErrGate) {
		return cause
	}
	path := w.Output + ".rejected"
	if err := onnx.Save(path, w.exported, w.Save); err != nil {
		return errors.Join(cause, err)
	}
	w.result.Rejected = path
	return cause
}

// dataDigest identifies both sets of samples.
func (w *work) dataDigest() (string, error) {
	a, err := digestOf(w.Samples)
	if err != nil {
		return "", err
	}
	b, err := digestOf(w.HeldOut)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/%s", short(a), short(b)), nil
}

func short(s string) string { return s[:min(16, len(s))] }
