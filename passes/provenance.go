package passes

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
)

// stamp writes where the model comes from into its metadata: versions, steps,
// hashes and what was measured, no time and no path, so that equal runs give
// equal bytes. Foreign keys stay. The steps of earlier runs become history.
// A graph that no step changed is left without a stamp: its file stays what it was.
func (w *work) stamp() error {
	if w.edited() || w.result.Data != nil { // a sample that cannot be read fails the run before anything is written
		if err := w.hashes(); err != nil {
			return err
		}
	}
	if !w.edited() {
		return nil
	}
	m, r := w.exported, w.result
	keys := []onnx.Entry{
		{Key: "onnxpass.version", Value: w.tool()},
		{Key: "onnxpass.passes", Value: strings.Join(r.Order, ",")},
		{Key: "onnxpass.target", Value: cmp.Or(r.Target, "none")},
		{Key: "onnxpass.input_sha256", Value: r.Input.SHA256},
	}
	if r.Data != nil {
		keys = append(keys, onnx.Entry{Key: "onnxpass.data_sha256", Value: r.Data.SHA256})
	}
	keys = append(keys, onnx.Entry{Key: "onnxpass.verify", Value: w.verdict()})
	if past := history(m.MetadataProps); past != "" {
		keys = append(keys, onnx.Entry{Key: "onnxpass.history", Value: past})
	}
	m.MetadataProps = merge(m.MetadataProps, keys)
	if m.ProducerName == "" {
		m.ProducerName = "onnxpass"
	}
	return nil
}

// verdict is what was measured, in short JSON.
func (w *work) verdict() string {
	v := w.result.Verify
	if v == nil {
		if w.NoVerify {
			return `{"run":false,"reason":"--no-verify"}`
		}
		return `{"run":false}`
	}
	random := ""
	if v.Random {
		random = `,"random":true`
	}
	return fmt.Sprintf(`{"run":true,"samples":%d,"sqnr_db":%.1f,"cosine":%.4f%s}`, v.Samples, v.SQNR, v.Cosine, random)
}

// history is the passes of earlier runs, oldest first.
func history(props []onnx.Entry) string {
	var past []string
	for _, key := range []string{"onnxpass.history", "onnxpass.passes"} {
		for _, e := range props {
			if e.Key == key && e.Value != "" {
				past = append(past, e.Value)
			}
		}
	}
	return strings.Join(past, "; ")
}

// merge replaces our own keys and keeps all others in their order.
func merge(old, keys []onnx.Entry) []onnx.Entry {
	var out []onnx.Entry
	for _, e := range old {
		if !ours(e.Key, keys) {
			out = append(out, e)
		}
	}
	return append(out, keys...)
}

func ours(key string, keys []onnx.Entry) bool {
	for _, k := range keys {
		if k.Key == key {
			return true
		}
	}
	return strings.HasPrefix(key, "onnxpass.") && (key == "onnxpass.data_sha256" || key == "onnxpass.verify")
}
