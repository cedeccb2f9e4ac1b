package onnx_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

// TestWrongFiles: what people give by mistake is called by its name.
func TestWrongFiles(t *testing.T) {
	valid := write(t, small(1))
	for name, c := range map[string]struct {
		content string
		code    string
		want    string // in the message
	}{
		"empty":       {"", "OP3005", "empty"},
		"lfs":         {"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 1\n", "OP3004", "Git LFS"},
		"zip":         {"PK\x03\x04\x14\x00rest", "OP3004", "PyTorch"},
		"pickle":      {"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "OP3004", "pickle"},
		"tflite":      {"\x1c\x00\x00\x00TFL3\x00\x00", "OP3004", "TensorFlow Lite"},
		"ort":         {"\x20\x00\x00\x00ORTM\x00\x00", "OP3004", ".ort"},
		"engine":      {"ftrt\x00\x00\x00\x01\x00", "OP3004", "TensorRT"},
		"engine rtx":  {"vtrt\x00\x00\x00\x00\x02", "OP3004", "TensorRT"},
		"coreml":      {string(proto{}.varint(1, 4).bytes(2, proto{}.str(1, "x")).varint(10, 1)), "OP3004", "no ONNX"},
		"openvino":    {"<?xml version=\"1.0\"?>\n<net name=\"m\" version=\"11\">", "OP3004", "OpenVINO"},
		"html":        {"<!DOCTYPE html><html><body>404</body></html>", "OP3004", "web page"},
		"hdf5":        {"\x89HDF\r\n\x1a\n", "OP3004", "Keras"},
		"gzip":        {"\x1f\x8b\x08\x00", "OP3004", "gzip"},
		"safetensors": {"\x40\x00\x00\x00\x00\x00\x00\x00{\"w\":{\"dtype\":\"F32\"}}", "OP3004", "safetensors"},
		"text":        {"hello, this is not a model\n", "OP3004", "text"},
		"json":        {"{\"irVersion\": \"8\"}", "OP3004", "text"},
		"utf-8 text":  {strings.Repeat("größer ", 100), "OP3004", "text"},
		"graphdef":    {string(proto{}.bytes(1, proto{}.str(1, "x").str(2, "Placeholder"))), "OP3004", "GraphDef"},
		"savedmodel":  {string(proto{}.varint(1, 1).bytes(2, proto{}.bytes(1, proto{}.str(1, "x")))), "OP3004", "SavedModel"},
		"noise":       {"\xde\xad\xbe\xef\x00\x01\x02", "OP3004", "no ONNX"},
		"zeros":       {strings.Repeat("\x00", 100), "OP3004", "no ONNX"},
		"cut":         {string(valid[:len(valid)/2]), "OP3002", "cut short"},
		"cut early":   {string(valid[:9]), "OP3002", "cut short"},
		"damaged":     {string(bytes.Replace(valid, []byte{0x3a}, []byte{0x3f}, 1)), "OP3003", "damaged"},
		"no graph":    {string(proto{}.varint(1, 8).bytes(8, proto{}.varint(2, 17))), "OP3012", "no graph"},
		"no opset":    {string(proto{}.varint(1, 8).bytes(7, nil)), "OP3007", "operator set"},
		"old":         {string(proto{}.varint(1, 1).str(2, "CNTK").bytes(7, nil)), "OP3006", "IR version 1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.onnx")
			file(t, path, []byte(c.content))
			_, err := onnx.Open(path)
			wantCode(t, err, c.code)
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("message %q names neither %q nor the file", err, c.want)
			}
			_, err = onnx.Decode([]byte(c.content))
			wantCode(t, err, c.code)
		})
	}
}

func TestCannotOpen(t *testing.T) {
	dir := t.TempDir()
	_, err := onnx.Open(filepath.Join(dir, "none.onnx"))
	wantCode(t, err, "OP3001")
	_, err = onnx.Open(dir)
	wantCode(t, err, "OP3001")
	if _, err := os.Stat("/dev/zero"); err == nil {
		_, err = onnx.Open("/dev/zero")
		wantCode(t, err, "OP3001")
	}
}

// TestEveryCut: no prefix of a model is read as a model, and none makes trouble.
func TestEveryCut(t *testing.T) {
	valid := write(t, generatedNodes(3))
	for n := range valid {
		if m, err := onnx.Decode(valid[:n:n]); err == nil && len(m.OpsetImport) == 0 {
			t.Fatalf("%d of %d bytes were taken for a model", n, len(valid))
		}
	}
}
