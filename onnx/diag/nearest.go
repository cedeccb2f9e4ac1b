package diag

import (
	"sort"
	"strings"
)

// Nearest returns up to n of the candidates that look like word, the most
// alike first. Candidates that are too far away (more than a third of the
// longer word differs, and neither contains the other) are left out. Ties keep
// the order of the candidates.
func Nearest(word string, candidates []string, n int) []string {
	type scored struct {
		name string
		d    int
	}
	w := clip(strings.ToLower(word))
	var found []scored
	for _, c := range candidates {
		lc := clip(strings.ToLower(c))
		d := distance(w, lc)
		contains := len(w) >= 3 && strings.Contains(lc, w) || len(lc) >= 3 && strings.Contains(w, lc)
		if contains {
			d = min(d, 2)
		}
		if d <= max(len(w), len(lc))/3 || d <= 1 || contains {
			found = append(found, scored{c, d})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].d < found[j].d })
	var out []string
	for _, s := range found {
		if len(out) == n {
			break
		}
		if len(out) == 0 || out[len(out)-1] != s.name {
			out = append(out, s.name)
		}
	}
	return out
}

// DidYouMean is "did you mean a, b or c?" for the nearest candidates, or the
// empty string when nothing is near.
func DidYouMean(word string, candidates []string) string {
	near := Nearest(word, candidates, 3)
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + Or(near) + "?"
}

// Or joins words as "a, b or c".
func Or(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// clip bounds the work of distance on words that come from a file.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		return s[len(s)-most:]
	}
	return s
}

// distance is the optimal string alignment distance in bytes: insertions,
// deletions, substitutions and swaps of neighbours each cost one.
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
