package onnx

import (
	"bytes"
	"unicode/utf8"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"google.golang.org/protobuf/encoding/protowire"
)

// foreign is a kind of file that people give by mistake.
type foreign struct {
	what, hint string
	is         func(b []byte) bool
}

func prefix(p string) func([]byte) bool {
	return func(b []byte) bool { return bytes.HasPrefix(b, []byte(p)) }
}

func at(off int, magic string) func([]byte) bool {
	return func(b []byte) bool { return len(b) >= off && bytes.HasPrefix(b[off:], []byte(magic)) }
}

const (
	hintTorch = "export it in PyTorch: torch.onnx.export(model, example, \"model.onnx\")"
	hintTF    = "convert it: python -m tf2onnx.convert (--saved-model, --graphdef or --tflite)"
)

// foreigners are recognised by their first bytes, which no ONNX file has.
var foreigners = []foreign{
	{"a Git LFS pointer, not the model itself", "run: git lfs pull", prefix("version https://git-lfs.github.com/")},
	{"a zip archive, most likely a PyTorch checkpoint", hintTorch + ", or unpack the archive if it holds an .onnx file", prefix("PK\x03\x04")},
	{"a PyTorch checkpoint (pickle)", hintTorch, prefix("\x80\x02")},
	{"a TensorFlow Lite model", hintTF, at(4, "TFL3")},
	{"an ONNX Runtime (.ort) model", "give the .onnx file that it was made from", at(4, "ORTM")},
	{"a TensorRT engine", "engines cannot be turned back; give the .onnx file that it was built from", isEngine},
	{"an OpenVINO model (.xml)", "OpenVINO IR cannot be turned back; give the .onnx file that it was converted from", isOpenVINO},
	{"an HDF5 file, most likely a Keras model", "export it: model.export(\"model.onnx\", format=\"onnx\")", prefix("\x89HDF")},
	{"a gzip archive", "unpack it first: gunzip", prefix("\x1f\x8b")},
	{"a Zstandard archive", "unpack it first: unzstd", prefix("\x28\xb5\x2f\xfd")},
	{"a GGUF model", "GGUF is for llama.cpp; give an ONNX export of the model", prefix("GGUF")},
	{"a NumPy array", "samples are given with -d", prefix("\x93NUMPY")},
	{"a web page, not a model", "the download went wrong: the server sent a page", isHTML},
	{"a safetensors file, which holds weights without a graph", hintTorch, isSafetensors},
}

// isEngine: the tag is "ptrt", "ftrt" (TensorRT) or "vtrt" (TensorRT-RTX), depending on the version.
func isEngine(b []byte) bool { return len(b) > 8 && at(1, "trt")(b) && b[0] >= 'a' && b[0] <= 'z' }

func head(b []byte, n int) []byte { return b[:min(len(b), n)] }

func isOpenVINO(b []byte) bool {
	h := head(b, 1024)
	return bytes.HasPrefix(trimText(h), []byte("<")) && bytes.Contains(h, []byte("<net "))
}

func isHTML(b []byte) bool {
	h := bytes.ToLower(trimText(head(b, 256)))
	return bytes.HasPrefix(h, []byte("<!doctype html")) || bytes.HasPrefix(h, []byte("<html"))
}

func isSafetensors(b []byte) bool { return at(8, "{\"")(b) && len(b) > 8 && b[7] == 0 && b[6] == 0 }

// trimText drops a byte order mark and leading blanks.
func trimText(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
}

// sniff names files that are surely something else.
func sniff(b []byte) error {
	if len(b) == 0 {
		return diag.New("OP3005", "the model file is empty").Hinted("the download or the export did not finish; get the file again")
	}
	for _, f := range foreigners {
		if f.is(b) {
			return diag.New("OP3004", "this is not an ONNX model", "found", f.what).Hinted("%s", f.hint)
		}
	}
	if isText(b) {
		return diag.New("OP3004", "this is not an ONNX model", "found", "a text file").
			Hinted("the binary form of a model is wanted (.onnx)")
	}
	return nil
}

// isText tells whether the file begins like text. ONNX files begin with a
// byte below 32 that no text has.
func isText(b []byte) bool {
	h := head(b, 512)
	for _, c := range h {
		if c < 32 && c != '\n' && c != '\r' && c != '\t' || c == 127 {
			return false
		}
	}
	// A rune may be cut at the end of the part looked at.
	for i := 0; i < utf8.UTFMax && i < len(h); i++ {
		if utf8.Valid(h[:len(h)-i]) {
			return true
		}
	}
	return false
}

// guess names protobuf files of other programs, which have no magic number:
// asked only when reading as ONNX made no sense.
func guess(b []byte) string {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return ""
	}
	switch {
	case num == 1 && typ == protowire.VarintType && isSavedModel(b[n:]):
		return "a TensorFlow SavedModel"
	case num == 1 && typ == protowire.BytesType && isGraphDef(b[n:]):
		return "a TensorFlow GraphDef (.pb)"
	}
	return ""
}

// isSavedModel: saved_model_schema_version 1, then a MetaGraphDef that begins with its MetaInfoDef.
func isSavedModel(b []byte) bool {
	if len(b) < 2 || b[0] != 1 || b[1] != 0x12 {
		return false
	}
	_, n := protowire.ConsumeVarint(b[2:])
	return n > 0 && len(b) > 2+n && b[2+n] == 0x0a
}

// isGraphDef: the first field is a NodeDef with a name and an operator.
func isGraphDef(b []byte) bool {
	node, n := protowire.ConsumeBytes(b)
	if n < 0 || len(node) < 4 || node[0] != 0x0a {
		return false
	}
	name, n := protowire.ConsumeBytes(node[1:])
	return n > 0 && utf8.Valid(name) && len(node) > 1+n && node[1+n] == 0x12
}

func notONNX(found string) error {
	e := diag.New("OP3004", "this is not an ONNX model")
	if found == "" {
		return e.With("found", "no ONNX structure in the file").
			Hinted("give the .onnx file that the exporter wrote")
	}
	return e.With("found", found).Hinted("%s", hintTF)
}

// looksONNX tells whether a file that cannot be read begins like an ONNX model:
// ir_version first, as every writer does, or the graph.
func looksONNX(b []byte) bool {
	return len(b) > 0 && (b[0] == 0x08 || b[0] == 0x3a) || len(b) > 1 && b[0] == 0x12 && b[1] < 0x40
}
