package onnx_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onnxpass/onnxpass/onnx"
	"pgregory.net/rapid"
)

// outside is a float32 tensor of n elements with the given external entries.
func outside(name string, n int64, entries ...string) proto {
	p := proto{}.varint(1, uint64(n)).varint(2, uint64(onnx.Float)).str(8, name)
	for i := 0; i < len(entries); i += 2 {
		p = p.bytes(13, proto{}.str(1, entries[i]).str(2, entries[i+1]))
	}
	return p.varint(14, 1)
}

// place writes a model file with these tensors, and a data file of 64 bytes, in a new folder.
func place(t *testing.T, tensors ...proto) string {
	t.Helper()
	dir := t.TempDir()
	g := proto{}.str(2, "g")
	for _, x := range tensors {
		g = g.bytes(5, x)
	}
	file(t, filepath.Join(dir, "m.onnx"), around(g))
	data := make([]byte, 64)
	for i := range data {
		data[i] = byte(i)
	}
	file(t, filepath.Join(dir, "w.data"), data)
	return filepath.Join(dir, "m.onnx")
}

func file(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string, opts ...onnx.Option) *onnx.Model {
	t.Helper()
	m, err := onnx.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestExternalRead(t *testing.T) {
	path := place(t,
		outside("a", 2, "location", "w.data", "offset", "8", "length", "8"),
		outside("b", 1, "location", "./w.data"),
		outside("shared", 2, "location", "w.data", "offset", "8", "length", "8", "checksum", "beef", "other", "kept out"),
		outside("empty", 0, "location", "w.data", "offset", "99", "length", "0"))
	m := open(t, path)
	for i, want := range [][]byte{{8, 9, 10, 11, 12, 13, 14, 15}, {0, 1, 2, 3}, {8, 9, 10, 11, 12, 13, 14, 15}} {
		got, err := m.Graph.Initializer[i].Data.Bytes()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("tensor %d: % x, %v", i, got, err)
		}
	}
	if m.Graph.Initializer[3].Data != nil {
		t.Error("empty tensor has content")
	}
	if got := m.DataFiles(); len(got) != 1 || !strings.HasSuffix(got[0], "w.data") {
		t.Errorf("data files %q", got)
	}
}

func TestExternalRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code    string
		tensors []proto
	}{
		"absent":         {"OP3020", []proto{outside("a", 1, "location", "no.data")}},
		"absolute":       {"OP3021", []proto{outside("a", 1, "location", "/etc/passwd")}},
		"parent":         {"OP3021", []proto{outside("a", 1, "location", "../w.data")}},
		"hidden parent":  {"OP3021", []proto{outside("a", 1, "location", "x/../w.data")}},
		"backslashes":    {"OP3021", []proto{outside("a", 1, "location", `x\..\..\w.data`)}},
		"zero byte":      {"OP3021", []proto{outside("a", 1, "location", "w.data\x00.txt")}},
		"folder":         {"OP3021", []proto{outside("a", 1, "location", ".")}},
		"no location":    {"OP3026", []proto{outside("a", 1, "offset", "0")}},
		"twice":          {"OP3026", []proto{outside("a", 1, "location", "w.data", "location", "w.data")}},
		"no number":      {"OP3026", []proto{outside("a", 1, "location", "w.data", "offset", "0x10")}},
		"negative":       {"OP3026", []proto{outside("a", 1, "location", "w.data", "offset", "-1")}},
		"beyond int64":   {"OP3026", []proto{outside("a", 1, "location", "w.data", "offset", "9223372036854775808")}},
		"wrong length":   {"OP3023", []proto{outside("a", 2, "location", "w.data", "length", "4")}},
		"past the end":   {"OP3023", []proto{outside("a", 16, "location", "w.data", "offset", "4", "length", "64")}},
		"far offset":     {"OP3023", []proto{outside("a", 1, "location", "w.data", "offset", strconv.FormatInt(1<<63-1, 10))}},
		"overlap":        {"OP3024", []proto{outside("a", 2, "location", "w.data", "offset", "0"), outside("b", 2, "location", "w.data", "offset", "4")}},
		"overlap inside": {"OP3024", []proto{outside("a", 8, "location", "w.data", "offset", "0"), outside("b", 2, "location", "w.data", "offset", "16")}},
		"overlap hidden": {"OP3024", []proto{outside("a", 2, "location", "w.data", "offset", "0"), outside("b", 2, "location", "./w.data", "offset", "4")}},
		"inline too":     {"OP3011", []proto{outside("a", 1, "location", "w.data").bytes(9, make([]byte, 4))}},
		"itself":         {"OP3023", []proto{outside("a", 1<<20, "location", "m.onnx")}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := onnx.Open(place(t, c.tensors...))
			wantCode(t, err, c.code)
		})
	}
}

func TestExternalLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	relink := func(t *testing.T, link func(old, new string) error) string {
		path := place(t, outside("a", 1, "location", "w.data"))
		data := filepath.Join(filepath.Dir(path), "w.data")
		elsewhere := filepath.Join(t.TempDir(), "secret")
		file(t, elsewhere, make([]byte, 64))
		if err := os.Remove(data); err != nil {
			t.Fatal(err)
		}
		if err := link(elsewhere, data); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, link := range map[string]func(old, new string) error{"symbolic": os.Symlink, "hard": os.Link} {
		path := relink(t, link)
		_, err := onnx.Open(path)
		wantCode(t, err, "OP3022")
		if m := open(t, path, onnx.FollowLinks()); m.Graph.Initializer[0].Data.Len() != 4 {
			t.Errorf("%s link not followed", name)
		}
	}

	inside := place(t, outside("a", 1, "location", "link.data"))
	if err := os.Symlink("w.data", filepath.Join(filepath.Dir(inside), "link.data")); err != nil {
		t.Fatal(err)
	}
	open(t, inside)

	folder := place(t, outside("a", 1, "location", "sub/w.data"))
	other := t.TempDir()
	file(t, filepath.Join(other, "w.data"), make([]byte, 64))
	if err := os.Symlink(other, filepath.Join(filepath.Dir(folder), "sub")); err != nil {
		t.Fatal(err)
	}
	_, err := onnx.Open(folder)
	wantCode(t, err, "OP3022")
}

func TestExternalMissing(t *testing.T) {
	path := place(t, outside("a", 2, "location", "no.data"))
	m := open(t, path, onnx.AllowMissingData())
	d := m.Graph.Initializer[0].Data
	if d.Len() != 8 {
		t.Errorf("length %d", d.Len())
	}
	_, err := d.Bytes()
	wantCode(t, err, "OP3020")
	out := filepath.Join(t.TempDir(), "out.onnx")
	wantCode(t, onnx.Save(out, m, onnx.SaveOptions{}), "OP3020")
	if left, _ := os.ReadDir(filepath.Dir(out)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExternalFromMemory(t *testing.T) {
	path := place(t, outside("a", 2, "location", "w.data"))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = onnx.Decode(b)
	wantCode(t, err, "OP3025")
	m, err := onnx.Decode(b, onnx.DataFolder(filepath.Dir(path)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if raw, err := m.Graph.Initializer[0].Data.Bytes(); err != nil || raw[7] != 7 {
		t.Errorf("% x, %v", raw, err)
	}
}

// TestManyDataFiles: one file per tensor, more than stay open.
func TestManyDataFiles(t *testing.T) {
	var tensors []proto
	for i := range 300 {
		tensors = append(tensors, outside(fmt.Sprint(i), 4, "location", fmt.Sprintf("%d.bin", i)))
	}
	path := place(t, tensors...)
	for i := range 300 {
		file(t, filepath.Join(filepath.Dir(path), fmt.Sprintf("%d.bin", i)), bytes.Repeat([]byte{byte(i)}, 16))
	}
	m := open(t, path)
	for i, x := range m.Graph.Initializer {
		if raw, err := x.Data.Bytes(); err != nil || !bytes.Equal(raw, bytes.Repeat([]byte{byte(i)}, 16)) {
			t.Fatalf("tensor %d: % x, %v", i, raw, err)
		}
	}
	back, err := onnx.Decode(write(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, back, sameModel...); d != "" {
		t.Error(d)
	}
}

// TestExternalWrite: the layout that all readers take, and the way back inside.
func TestExternalWrite(t *testing.T) {
	dir := t.TempDir()
	shared := onnx.RawBytes(bytes.Repeat([]byte{7}, 5000))
	tensor := func(name string, d onnx.Data) *onnx.Tensor {
		return &onnx.Tensor{Name: name, Type: onnx.Uint8, Dims: []int64{d.Len()}, Data: d}
	}
	body := &onnx.Graph{Name: "body", Initializer: []*onnx.Tensor{tensor("inner", onnx.Lazy(2048, func() ([]byte, error) {
		return bytes.Repeat([]byte{9}, 2048), nil
	}))}}
	m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: &onnx.Graph{
		Name:        "g",
		Initializer: []*onnx.Tensor{tensor("one", shared), tensor("small", onnx.RawBytes(make([]byte, 100))), tensor("two", shared)},
		Node: []*onnx.Node{
			{OpType: "If", Attribute: []*onnx.Attribute{{Name: "then_branch", Type: onnx.AttrGraph, G: body}}},
			{OpType: "Constant", Attribute: []*onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, T: tensor("", shared)}}},
		},
	}}
	out := filepath.Join(dir, "m.onnx")
	if err := onnx.Save(out, m, onnx.SaveOptions{External: onnx.ExternalAlways}); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(out + ".data")
	if err != nil || st.Size() != 8192+2048 {
		t.Fatalf("data file: %v, %v", st, err)
	}
	structure, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][2]string{{"0", "5000"}, {"8192", "2048"}} {
		p := proto{}
		for _, e := range [][2]string{{"location", "m.onnx.data"}, {"offset", want[0]}, {"length", want[1]}} {
			p = p.bytes(13, proto{}.str(1, e[0]).str(2, e[1]))
		}
		if !bytes.Contains(structure, p) {
			t.Errorf("no entry for offset %s length %s", want[0], want[1])
		}
	}
	back := open(t, out)
	if d := cmp.Diff(m, back, sameModel...); d != "" {
		t.Error(d)
	}
	inline := filepath.Join(dir, "inline.onnx")
	if err := onnx.Save(inline, back, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(inline); !bytes.Equal(b, write(t, m)) {
		t.Error("saved inside again, the file is not the one written directly")
	}
	again := filepath.Join(dir, "sub", "m.onnx")
	if err := os.Mkdir(filepath.Dir(again), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := onnx.Save(again, back, onnx.SaveOptions{External: onnx.ExternalAlways}); err != nil {
		t.Fatal(err)
	}
	same(t, out, again)
	same(t, out+".data", again+".data")
}

func TestExternalThreshold(t *testing.T) {
	dir := t.TempDir()
	m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: &onnx.Graph{
		Initializer: []*onnx.Tensor{onnx.NewTensor(onnx.Uint8, []int64{9000}, make([]byte, 9000))}}}
	for _, c := range []struct {
		o    onnx.SaveOptions
		data bool
	}{
		{onnx.SaveOptions{}, false},
		{onnx.SaveOptions{Threshold: 9000}, true},
		{onnx.SaveOptions{Threshold: 9500}, false},
		{onnx.SaveOptions{External: onnx.ExternalNever, Threshold: 1}, false},
		{onnx.SaveOptions{External: onnx.ExternalAlways}, true},
		{onnx.SaveOptions{External: onnx.ExternalAlways, Smallest: 9001}, false},
	} {
		out := filepath.Join(dir, "m.onnx")
		if err := onnx.Save(out, m, c.o); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(out + ".data"); (err == nil) != c.data {
			t.Errorf("%+v: data file %v", c.o, err)
		}
		_ = os.Remove(out + ".data")
	}
}

// TestTooLarge uses content that is announced and never made.
func TestTooLarge(t *testing.T) {
	huge := &onnx.Tensor{Name: "w", Type: onnx.Uint8, Dims: []int64{1 << 31}, Data: onnx.Lazy(1<<31, func() ([]byte, error) {
		t.Error("content was asked for")
		return nil, nil
	})}
	m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: &onnx.Graph{Initializer: []*onnx.Tensor{huge}}}
	wantCode(t, onnx.Write(&bytes.Buffer{}, m), "OP3030")
	wantCode(t, onnx.Save(filepath.Join(t.TempDir(), "m.onnx"), m, onnx.SaveOptions{External: onnx.ExternalNever}), "OP3030")
}

// TestExternalRoundTrip: any model, weights outside, comes back the same.
func TestExternalRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		m := (&maker{t: t}).model()
		out := filepath.Join(dir, "m.onnx")
		if err := onnx.Save(out, m, onnx.SaveOptions{External: onnx.ExternalAlways, Smallest: 1}); err != nil {
			t.Fatal(err)
		}
		back, err := onnx.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = back.Close() }()
		if d := cmp.Diff(m, back, sameModel...); d != "" {
			t.Fatal(d)
		}
	})
}
