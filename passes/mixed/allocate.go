package mixed

import (
	"cmp"
	"slices"
)

// choice is one form that a group of weights can be stored in.
type choice struct {
	bytes  int64   // in the file
	damage float64 // expected noise at the outputs, as a share of the signal
}

// step replaces one form of a group by a larger one.
type step struct {
	group, to int     // index of the group and of its new form
	bytes     int64   // more than before
	saved     float64 // damage less than before
}

// ladder is a nested family of assignments: all groups in their smallest form,
// and steps of falling worth, each of which gives one group more bytes. Every
// prefix of the steps is the assignment of least damage for one price of a byte.
type ladder struct {
	menus [][]choice
	base  []int
	steps []step
}

// newLadder keeps, of the choices of every group, those on the lower convex
// hull of damage over bytes, and sorts the steps between them by what a byte saves.
func newLadder(menus [][]choice) *ladder {
	l := &ladder{menus: menus}
	for g, menu := range menus {
		corners := hull(menu)
		l.base = append(l.base, corners[0])
		for k, to := range corners[1:] {
			was, is := menu[corners[k]], menu[to]
			l.steps = append(l.steps, step{g, to, is.bytes - was.bytes, was.damage - is.damage})
		}
	}
	slices.SortStableFunc(l.steps, func(a, b step) int { return cmp.Compare(b.worth(), a.worth()) })
	return l
}

// worth is the damage that a byte saves. A step has at least one byte.
func (s step) worth() float64 { return s.saved / float64(s.bytes) }

// hull lists the corners of the lower convex hull of a menu, from the smallest
// choice to the one of least damage. Of choices that are equal the first counts.
func hull(menu []choice) []int {
	order := make([]int, len(menu))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(menu[a].bytes, menu[b].bytes), cmp.Compare(menu[a].damage, menu[b].damage))
	})
	var out []int
	for _, i := range order {
		if len(out) > 0 && menu[i].damage >= menu[out[len(out)-1]].damage {
			continue // larger, and no better
		}
		for len(out) > 1 && !convex(menu[out[len(out)-2]], menu[out[len(out)-1]], menu[i]) {
			out = out[:len(out)-1]
		}
		out = append(out, i)
	}
	return out
}

// convex says whether b lies below the line from a to c.
func convex(a, b, c choice) bool {
	return (a.damage-b.damage)*float64(c.bytes-b.bytes) > (b.damage-c.damage)*float64(b.bytes-a.bytes)
}

// at is the assignment behind the first n steps.
func (l *ladder) at(n int) []int {
	out := slices.Clone(l.base)
	for _, s := range l.steps[:n] {
		out[s.group] = s.to
	}
	return out
}

// total are the bytes and the damage of an assignment.
func (l *ladder) total(pick []int) (sum choice) {
	for g, i := range pick {
		sum.bytes += l.menus[g][i].bytes
		sum.damage += l.menus[g][i].damage
	}
	return sum
}

// within is an assignment of little damage that takes at most limit bytes; ok
// is false when even the smallest does not, which is returned then. It climbs
// the ladder, passing over what does not fit, and repairs the rest.
func (l *ladder) within(limit int64) (pick []int, ok bool) {
	pick = slices.Clone(l.base)
	left := limit - l.total(pick).bytes
	if left < 0 {
		return pick, false
	}
	stuck := map[int]bool{} // groups that stopped on the way
	for _, s := range l.steps {
		if stuck[s.group] || s.bytes > left {
			stuck[s.group] = true
			continue
		}
		pick[s.group] = s.to
		left -= s.bytes
	}
	for l.exchange(pick, &left) {
	}
	return pick, true
}

// under is an assignment of few bytes whose damage is at most most, found by
// halving the bytes that within may take. At the top of the ladder nothing is saved.
func (l *ladder) under(most float64) []int {
	best := l.at(len(l.steps))
	low, high := l.total(l.base).bytes, l.total(best).bytes
	for low <= high {
		limit := low + (high-low)/2
		pick, _ := l.within(limit)
		if sum := l.total(pick); sum.damage <= most {
			best, high = pick, sum.bytes-1
		} else {
			low = limit + 1
		}
	}
	return best
}

// move is another choice for a group.
type move struct {
	group, to int
	bytes     int64   // more than now; negative: less
	saved     float64 // damage less than now; negative: more
}

// exchange makes the one change that saves the most damage: of one group, or of
// two where one pays for the other. left is what may be added.
func (l *ladder) exchange(pick []int, left *int64) bool {
	moves := l.moves(pick)
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(b.saved, a.saved) })
	var best []move
	most := 0.0
	for _, up := range moves {
		if up.saved <= most {
			break // nothing that follows saves more, with whatever pays for it
		}
		if up.bytes <= *left {
			best, most = []move{up}, up.saved
			continue
		}
		for _, pay := range moves {
			if up.saved+pay.saved <= most {
				break
			}
			if pay.group != up.group && up.bytes+pay.bytes <= *left {
				best, most = []move{up, pay}, up.saved+pay.saved
				break
			}
		}
	}
	for _, m := range best {
		pick[m.group] = m.to
		*left -= m.bytes
	}
	return len(best) > 0
}

// moves are all changes of one group.
func (l *ladder) moves(pick []int) []move {
	var out []move
	for g, menu := range l.menus {
		now := menu[pick[g]]
		for i, c := range menu {
			if i != pick[g] {
				out = append(out, move{g, i, c.bytes - now.bytes, now.damage - c.damage})
			}
		}
	}
	return out
}
