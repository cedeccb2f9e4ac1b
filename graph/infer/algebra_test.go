package infer

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSymbolsMeanWhatTheySay builds random computations and compares every name with the
// value of the computation: for sizes that it names, and by equality of names.
func TestSymbolsMeanWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := map[string]int64{"N": rapid.Int64Range(1, 50).Draw(t, "N"), "seq_len": rapid.Int64Range(1, 50).Draw(t, "seq"), "x.0": rapid.Int64Range(1, 9).Draw(t, "x")}
		syms := []Dim{Symbol("N"), Symbol("seq_len"), Symbol("x.0"), Symbol("N"), Static(3), Static(0)}
		nums := []int64{sizes["N"], sizes["seq_len"], sizes["x.0"], sizes["N"], 3, 0}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			i, j := rapid.IntRange(0, len(syms)-1).Draw(t, "i"), rapid.IntRange(0, len(syms)-1).Draw(t, "j")
			k := rapid.Int64Range(1, 8).Draw(t, "k")
			a, b, x, y := syms[i], syms[j], nums[i], nums[j]
			var s Dim
			var n int64
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0:
				s, n = add(a, b), x+y
			case 1:
				s, n = sub(a, b), x-y
			case 2:
				s, n = mul(a, b), x*y
			case 3:
				s, n = divDown(a, k), floorDiv(x, k)
			case 4:
				s, n = div(a, Static(k)), x/k
			case 5:
				s, n = add(mul(a, Static(k)), Static(k-4)), x*k+k-4
			}
			if s == Dynamic() || !within(n) {
				continue
			}
			if got, ok := value(s, sizes); !ok || got != n {
				t.Fatalf("%v is %d for %v, really %d (of %v and %v, %d)", s, got, sizes, n, a, b, k)
			}
			syms, nums = append(syms, s), append(nums, n)
		}
	})
}

func value(s Dim, sizes map[string]int64) (int64, bool) {
	if number(s) {
		return s.Value, true
	}
	return Evaluate(s.Param, sizes)
}

func TestSymbolsAreCanonical(t *testing.T) {
	n, m := Symbol("N"), Symbol("M")
	for _, c := range []struct{ got, want Dim }{
		{add(n, m), add(m, n)},
		{sub(add(n, m), m), n},
		{div(mul(n, Static(12)), Static(12)), n},
		{mul(add(n, Static(1)), Static(2)), add(mul(Static(2), n), Static(2))},
		{divDown(divDown(n, 2), 3), divDown(n, 6)},
		{divDown(add(divDown(add(n, Static(1)), 2), Static(1)), 2), divDown(add(n, Static(3)), 4)},
		{mul(n, m), Symbol("{M*N}")},
		{divDown(add(n, Static(-1)), 2), Symbol("{floor((N+1)/2)-1}")},
		{add(Symbol("batch-size"), Static(1)), Dynamic()},
		{ratio(mul(mul(n, m), Static(6)), mul(n, Static(3))), mul(m, Static(2))},
	} {
		if c.got != c.want {
			t.Errorf("%v, %v expected", c.got, c.want)
		}
	}
}

func TestSymbolsStayBounded(t *testing.T) {
	s := Symbol("N")
	for range 200 {
		s = add(divDown(mul(add(s, Static(1)), Symbol("M")), 3), Symbol("K"))
		if len(s.Param) > maxNameSize {
			t.Fatalf("name of %d bytes", len(s.Param))
		}
	}
	for _, hostile := range []string{"{", "{}", "{+}", "{floor(}", "{floor(N/0)}", "{((((}", "{floor(N/)}", "{9999999999999999999}", "{N**2}"} {
		_ = divDown(add(mul(Symbol(hostile), Static(3)), Symbol(hostile)), 2)
	}
}
