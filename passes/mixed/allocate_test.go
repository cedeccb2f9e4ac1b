package mixed

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// menus draws a few groups with a few forms each.
func menus(t *rapid.T) [][]choice {
	out := make([][]choice, rapid.IntRange(1, 6).Draw(t, "groups"))
	for g := range out {
		for range rapid.IntRange(1, 4).Draw(t, "forms") {
			out[g] = append(out[g], choice{rapid.Int64Range(1, 60).Draw(t, "bytes"), float64(rapid.IntRange(0, 1000).Draw(t, "damage"))})
		}
	}
	return out
}

// brute is the least damage within the limit, by trying everything; infinite when nothing fits.
func brute(menus [][]choice, limit int64) float64 {
	best := math.Inf(1)
	var walk func(g int, bytes int64, damage float64)
	walk = func(g int, bytes int64, damage float64) {
		if bytes > limit || damage >= best {
			return
		}
		if g == len(menus) {
			best = damage
			return
		}
		for _, c := range menus[g] {
			walk(g+1, bytes+c.bytes, damage+c.damage)
		}
	}
	walk(0, 0, 0)
	return best
}

// What within returns fits, and its damage is above the least possible one by
// no more than the largest step of the ladder saves: the bound of the
// relaxation in which one group may be stored partly in one form and partly in another.
func TestWithinIsNearlyOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := menus(t)
		limit := rapid.Int64Range(0, 300).Draw(t, "limit")
		l := newLadder(list)
		pick, ok := l.within(limit)
		best := brute(list, limit)
		sum := l.total(pick)
		if ok == math.IsInf(best, 1) {
			t.Fatalf("within says %v; the best damage is %v", ok, best)
		}
		if !ok {
			return
		}
		if sum.bytes > limit {
			t.Fatalf("%d bytes, limit %d", sum.bytes, limit)
		}
		largest := 0.0
		for _, s := range l.steps {
			largest = max(largest, s.saved)
		}
		if sum.damage > best+largest {
			t.Fatalf("damage %v, the least is %v, the largest step saves %v", sum.damage, best, largest)
		}
		for g, menu := range list {
			for i, c := range menu {
				now := menu[pick[g]]
				if c.damage < now.damage && sum.bytes-now.bytes+c.bytes <= limit {
					t.Fatalf("form %d of group %d would be better and fits", i, g)
				}
			}
		}
	})
}

// On many instances together the damage is close to the least possible.
func TestWithinLosesLittle(t *testing.T) {
	var found, least float64
	exact, all := 0, 0
	for seed := range 300 {
		list := rapid.Custom(menus).Example(seed)
		l := newLadder(list)
		smallest := l.total(l.base).bytes
		for _, more := range []int64{0, 10, 30, 60, 120} {
			pick, _ := l.within(smallest + more)
			d, b := l.total(pick).damage, brute(list, smallest+more)
			found, least, all = found+d, least+b, all+1
			if d == b {
				exact++
			}
		}
	}
	if found > 1.01*least || exact < all*95/100 {
		t.Errorf("damage %.0f of at least %.0f, %d of %d instances optimal", found, least, exact, all)
	}
	t.Logf("damage %.0f of at least %.0f, %d of %d instances optimal", found, least, exact, all)
}

// What under returns is within the damage where the top of the ladder is, and
// takes no more bytes than the first rung that is.
func TestUnder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLadder(menus(t))
		most := float64(rapid.IntRange(0, 3000).Draw(t, "most"))
		sum := l.total(l.under(most))
		for n := range len(l.steps) + 1 {
			rung := l.total(l.at(n))
			if rung.damage <= most && (sum.damage > most || sum.bytes > rung.bytes) {
				t.Fatalf("%v with %d steps, under gives %v", rung, n, sum)
			}
		}
	})
}

// Every prefix of a ladder is optimal for its own number of bytes.
func TestPrefixesAreOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := menus(t)
		l := newLadder(list)
		before := int64(-1)
		for n := range len(l.steps) + 1 {
			sum := l.total(l.at(n))
			if best := brute(list, sum.bytes); sum.damage > best {
				t.Fatalf("%d steps: damage %v with %d bytes, possible is %v", n, sum.damage, sum.bytes, best)
			}
			if sum.bytes <= before {
				t.Fatalf("%d steps take %d bytes, one less %d", n, sum.bytes, before)
			}
			before = sum.bytes
		}
	})
}
