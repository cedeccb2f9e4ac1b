//go:build !(linux || darwin || windows)

package openvino

import "os"

// takeStdout is os.Stdout: there is no OpenVINO on this platform that could print.
func takeStdout() (*os.File, error) { return os.Stdout, nil }
