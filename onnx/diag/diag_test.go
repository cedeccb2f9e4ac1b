package diag

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		word string
		from []string
		want string
	}{
		{"inspct", []string{"inspect", "check", "dump"}, "inspect"},
		{"qaunt", []string{"prune", "quant"}, "quant"},
		{"conv3", []string{"/layer4/2/conv3", "/fc"}, "/layer4/2/conv3"},
		{"zzz", []string{"quant", "prune"}, ""},
		{"Fold", []string{"fold"}, "fold"},
		{"", []string{"fold", "a"}, "a"},
	} {
		got := Nearest(c.word, c.from, 3)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.word, got, c.want)
		}
	}
}

func TestDistanceIsAMetric(t *testing.T) {
	words := []string{"", "a", "quant", "qaunt", "quantize", "dequant", "prune"}
	for _, a := range words {
		for _, b := range words {
			d := distance(a, b)
			if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) {
				t.Errorf("distance(%q,%q) = %d", a, b, d)
			}
		}
	}
}

func TestExitIsTheFirstDigit(t *testing.T) {
	for code, want := range map[string]int{"OP2001": 2, "OP6012": 6, "OP7001": 7, "OP8001": 1, "": 1, "nonsense": 1} {
		if got := New(code, "x").Exit(); got != want {
			t.Errorf("%s: exit %d, want %d", code, got, want)
		}
	}
}

func TestCodesAreUniqueAndComplete(t *testing.T) {
	codes := Codes()
	for i, e := range codes {
		if len(e.Code) != 6 || !strings.HasPrefix(e.Code, "OP") || e.Title == "" || e.Long == "" {
			t.Errorf("entry %+v is incomplete", e)
		}
		if i > 0 && codes[i-1].Code == e.Code {
			t.Errorf("%s is documented twice", e.Code)
		}
	}
	if _, ok := Explain(strings.ToLower(codes[0].Code)); !ok || !slices.IsSortedFunc(codes, func(a, b Entry) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("codes are not sorted or not found")
	}
}
