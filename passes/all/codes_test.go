package all

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Every code that the product can print is documented, and every documented code is printed somewhere.
func TestCodesAreDocumented(t *testing.T) {
	documented, used := map[string]bool{}, map[string]string{}
	for _, e := range diag.Codes() {
		documented[e.Code] = true
	}
	code := regexp.MustCompile(`"OP[0-9]{4}"`)
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "onnx/diag/codes") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, c := range code.FindAllString(string(text), -1) {
			used[strings.Trim(c, `"`)] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for c, path := range used {
		if !documented[c] {
			t.Errorf("%s is printed by %s and not documented in onnx/diag", c, path)
		}
	}
	for c := range documented {
		if used[c] == "" {
			t.Errorf("%s is documented and never printed", c)
		}
	}
}
