package calib

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// load is the saved table of the model, samples and runner, or a new one. A
// table is found by the contents it belongs to, so a stale one cannot be
// found; a damaged one counts as none.
func (c *Calibration) load(m *graph.Model) (*Table, error) {
	if c.CacheDir == "" {
		return c.empty("", "")
	}
	model, err := modelDigest(m)
	if err != nil {
		return nil, err
	}
	samples, err := c.Samples.Digest()
	if err != nil {
		return nil, err
	}
	t, err := c.empty(model, samples)
	if saved, readErr := LoadTable(c.tablePath(t)); readErr == nil &&
		saved.Model == t.Model && saved.Samples == t.Samples && saved.Runner == t.Runner {
		return saved, nil
	}
	return t, err
}

func (c *Calibration) empty(model, samples string) (*Table, error) {
	t := NewTable(model, samples)
	t.Runner = c.Runner.Name()
	return t, nil
}

// save writes the table into the cache folder, if there is one.
func (c *Calibration) save(t *Table) error {
	if c.CacheDir == "" {
		return nil
	}
	if err := os.MkdirAll(c.CacheDir, 0o755); err != nil {
		return err
	}
	return SaveTable(c.tablePath(t), t)
}

func (c *Calibration) tablePath(t *Table) string {
	key := sha256.Sum256([]byte(tableFormat + "\x00" + t.Model + "\x00" + t.Samples + "\x00" + t.Runner))
	return filepath.Join(c.CacheDir, "statistics-"+hex.EncodeToString(key[:16])+".json")
}

// modelDigest is the SHA-256 of the model's file form.
func modelDigest(m *graph.Model) (string, error) {
	proto, err := m.Export()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if err := onnx.Write(h, proto); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
