// Onnxpass prepares trained ONNX models for deployment: it optimises,
// quantizes, checks and compares them. See onnxpass help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the linker for releases.
var version = "devel"

// telemetryOff keeps recent versions of ONNX Runtime from writing a device ID
// and a data base into the user's cache folder, and from sending what they
// collect. A user who wants that sets the variable to 0.
const telemetryOff = "ORT_DISABLE_TELEMETRY"

func main() {
	if _, set := os.LookupEnv(telemetryOff); !set {
		os.Setenv(telemetryOff, "1")
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go watchSignals(cancel)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// interrupted is the cause of a context that a signal cancelled.
type interrupted struct{ sig os.Signal }

func (i interrupted) Error() string { return "stopped by " + i.sig.String() }

// code is 128 plus the signal's number, as shells count.
func (i interrupted) code() int {
	if s, ok := i.sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 1
}

// grace is how long a cancelled run may take to end by itself.
const grace = 900 * time.Millisecond

// watchSignals cancels on SIGINT or SIGTERM. A second signal, or a run that
// does not end within the grace period, removes what is half written and ends
// the process at once.
func watchSignals(cancel context.CancelCauseFunc) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	why := interrupted{<-c}
	cancel(why)
	select {
	case <-c:
	case <-time.After(grace):
	}
	scratch.close()
	fmt.Fprintln(os.Stderr, "onnxpass: "+why.Error())
	os.Exit(why.code())
}

// run is the whole command. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := newApp(stdin, stdout, stderr)
	err := a.execute(ctx, args)
	scratch.removeAll()
	var sig interrupted
	if errors.As(context.Cause(ctx), &sig) {
		if err != nil {
			fmt.Fprintln(stderr, "onnxpass: "+sig.Error())
			return sig.code()
		}
		return 0 // everything was done before the signal arrived
	}
	return a.finish(err)
}
