package ort

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestSlotsAgreeWithTheHeader lets a C compiler say where each function of
// slots.go lies in OrtApi. The header is not part of this repository: it comes
// from ONNXPASS_ORT_HEADER or lies where a release archive or a NuGet package
// has it, relative to the library of ONNXPASS_ORT_LIB.
func TestSlotsAgreeWithTheHeader(t *testing.T) {
	header, cc := findHeader(), compiler()
	if header == "" || cc == "" {
		t.Skip("needs a C compiler and onnxruntime_c_api.h (set ONNXPASS_ORT_HEADER)")
	}
	slots, names := declaredSlots(t)
	var src strings.Builder
	fmt.Fprintf(&src, "#include <stdio.h>\n#include <stddef.h>\n#include %q\nint main(void) {\n", header)
	for _, n := range names {
		fmt.Fprintf(&src, "printf(\"%%zu\\n\", offsetof(OrtApi, %s) / sizeof(void *));\n", cName(n))
	}
	src.WriteString("return 0;\n}\n")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "slots.c"), src.String())
	out, err := exec.Command(cc, "-I", filepath.Dir(header), "-o", filepath.Join(dir, "slots"), filepath.Join(dir, "slots.c")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = exec.Command(filepath.Join(dir, "slots")).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	for i, n := range names {
		if lines[i] != strconv.Itoa(slots[n]) {
			t.Errorf("%s is slot %s in %s, %d in slots.go", cName(n), lines[i], header, slots[n])
		}
	}
	t.Logf("%d slots agree with %s", len(names), header)
}

func TestSlotsAreInOrder(t *testing.T) {
	slots, names := declaredSlots(t)
	for i := 1; i < len(names); i++ {
		if slots[names[i]] <= slots[names[i-1]] {
			t.Errorf("%s does not follow %s", names[i], names[i-1])
		}
	}
	if last := slots[names[len(names)-1]]; last+1 != slotCount {
		t.Errorf("slotCount is %d, the last slot is %d", slotCount, last)
	}
}

func cName(n string) string { return strings.ToUpper(n[:1]) + n[1:] }

// declaredSlots reads the constants of slots.go, in order.
func declaredSlots(t *testing.T) (map[string]int, []string) {
	f, err := parser.ParseFile(token.NewFileSet(), "slots.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	slots, names := map[string]int{}, []string(nil)
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Type == nil {
			return true
		}
		slots[v.Names[0].Name], _ = strconv.Atoi(v.Values[0].(*ast.BasicLit).Value)
		names = append(names, v.Names[0].Name)
		return true
	})
	return slots, names
}

func compiler() string {
	for _, c := range []string{"cc", "gcc", "clang"} {
		if p, err := exec.LookPath(c); err == nil {
			return p
		}
	}
	return ""
}

func findHeader() string {
	candidates := []string{os.Getenv("ONNXPASS_ORT_HEADER")}
	if lib := os.Getenv("ONNXPASS_ORT_LIB"); lib != "" {
		dir := filepath.Dir(lib)
		candidates = append(candidates,
			filepath.Join(dir, "../include/onnxruntime_c_api.h"),
			filepath.Join(dir, "../include/onnxruntime/onnxruntime_c_api.h"),
			filepath.Join(dir, "../../../build/native/include/onnxruntime_c_api.h"))
	}
	for _, c := range append(candidates, "/usr/include/onnxruntime/onnxruntime_c_api.h", "/usr/local/include/onnxruntime_c_api.h") {
		if _, err := os.Stat(c); err == nil {
			abs, _ := filepath.Abs(c)
			return abs
		}
	}
	return ""
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
