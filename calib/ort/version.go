package ort

import (
	"strconv"
	"strings"
)

// offers says whether release v ("1.32.0") has the given API version. API
// version n came with release 1.n. Asking the library itself for a version
// that it lacks makes it print to stderr.
func offers(v string, api int) bool {
	major, rest, _ := strings.Cut(v, ".")
	minor, _, _ := strings.Cut(rest, ".")
	ma, err1 := strconv.Atoi(major)
	mi, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil {
		return true // an unusual build: let it answer for itself
	}
	return ma > 1 || ma == 1 && mi >= api
}
