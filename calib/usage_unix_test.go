//go:build unix

package calib_test

import (
	"syscall"
	"testing"
)

// usage is the processor time of the process so far, in seconds.
func usage() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakMiB is the largest resident size so far.
func peakMiB() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}

func report(b *testing.B, since float64, samples int) {
	b.ReportMetric((usage()-since)*1e3/float64(b.N*samples), "cpu-ms/sample")
	b.ReportMetric(peakMiB(), "peak-MiB")
}
