package observe

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasOSXSAVE

//go:noescape
func scanAVX2(x *float32, n int, l *lanes)

// kernel reduces x, whose length is a positive multiple of 8, into fresh lanes.
func kernel(x []float32, l *lanes) {
	if hasAVX2 {
		scanAVX2(&x[0], len(x), l)
		return
	}
	scanGo(x, l)
}
