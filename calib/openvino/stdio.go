package openvino

import (
	"os"
	"os/signal"
)

// ServeStdio serves on standard input and output. From here on everything that
// OpenVINO prints to standard output goes to standard error, so that it cannot
// disturb the connection, and interrupts are left to the parent.
func ServeStdio() error {
	signal.Ignore(os.Interrupt)
	out, err := takeStdout()
	if err != nil {
		return err
	}
	defer out.Close()
	return Serve(os.Stdin, out)
}
