package calib_test

import (
	"errors"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
)

func TestInTurnKeepsTheOrder(t *testing.T) {
	for _, threads := range []int{1, 3, 8} {
		var got []int
		err := calib.InTurn(100, threads, func(i int, ordered func(func() error) error) error {
			if i%7 == 0 {
				return nil // has nothing to say
			}
			return ordered(func() error { got = append(got, i); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		for k := 1; k < len(got); k++ {
			if got[k] < got[k-1] {
				t.Fatalf("%d threads: %d after %d", threads, got[k], got[k-1])
			}
		}
		if len(got) != 85 {
			t.Errorf("%d threads: %d turns instead of 85", threads, len(got))
		}
	}
}

func TestInTurnEndsWithTheFirstError(t *testing.T) {
	bad := errors.New("bad")
	for _, threads := range []int{1, 4} {
		turns := 0
		err := calib.InTurn(100, threads, func(i int, ordered func(func() error) error) error {
			if i == 20 {
				return bad
			}
			return ordered(func() error { turns++; return nil })
		})
		if !errors.Is(err, bad) || turns > 20 {
			t.Errorf("%d threads: %v after %d turns", threads, err, turns)
		}
	}
}

func TestInTurnHandsAPanicOn(t *testing.T) {
	for _, inside := range []bool{false, true} {
		func() {
			defer func() {
				if r := recover(); r != "broken" {
					t.Errorf("recovered %v", r)
				}
			}()
			_ = calib.InTurn(50, 4, func(i int, ordered func(func() error) error) error {
				if i == 10 && !inside {
					panic("broken")
				}
				return ordered(func() error {
					if i == 10 {
						panic("broken")
					}
					return nil
				})
			})
			t.Error("no panic")
		}()
	}
}
