//go:build !amd64

package observe

// kernel reduces x into fresh lanes.
func kernel(x []float32, l *lanes) { scanGo(x, l) }
