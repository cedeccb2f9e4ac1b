package passes

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. In a spec it is written with a unit: 25MiB, 1.5GB, 4096.
type Size int64

// Units by suffix, longest suffix first. One-letter units are binary, as in most tools.
var units = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1},
}

// ParseSize reads a number of bytes with an optional unit (KiB, MiB, GiB, TiB, kB, MB, GB, TB; K, M, G, T are binary).
func ParseSize(text string) (Size, error) {
	fail := fmt.Errorf("a size such as 4096, 25MiB or 1.5GB")
	s, unit := strings.ToLower(strings.TrimSpace(text)), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < 0 || float64(n) > math.MaxInt64/unit/2 {
			return 0, fail
		}
		return Size(n * int64(unit)), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*unit > math.MaxInt64/2 {
		return 0, fail
	}
	return Size(f * unit), nil
}

// String is the size in the largest binary unit that divides it, so that ParseSize gives the same number.
func (s Size) String() string {
	for _, u := range []struct {
		suffix string
		bytes  Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
