package onnx_test

import (
	"bytes"
	"path/filepath"
	"sync"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

// TestParallelReading: tensors of one model may be read, and the model saved,
// by several goroutines.
func TestParallelReading(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	if err := onnx.Save(path, generated(3*layer), onnx.SaveOptions{External: onnx.ExternalAlways}); err != nil {
		t.Fatal(err)
	}
	m := open(t, path)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			w := m.Graph.Initializer[i%3]
			if raw, err := w.Raw(); err != nil || !bytes.Equal(raw, noise(i%3)) {
				t.Errorf("weight %d: %v", i%3, err)
			}
			if i < 2 {
				if err := onnx.Save(filepath.Join(dir, []string{"a", "b"}[i]), m, onnx.SaveOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	same(t, filepath.Join(dir, "a"), filepath.Join(dir, "b"))
}
