//go:build !unix

package calib_test

import "testing"

func usage() float64 { return 0 }

func report(*testing.B, float64, int) {}
