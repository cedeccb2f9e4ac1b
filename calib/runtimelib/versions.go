package runtimelib

import "strings"

// compareVersions orders text as people do: runs of digits by their value, the rest byte by byte.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na == 0 || nb == 0 {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		va, vb := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
		if len(va) != len(vb) {
			return len(va) - len(vb)
		}
		if va != vb {
			return strings.Compare(va, vb)
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

// digits counts the digits that s begins with.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
