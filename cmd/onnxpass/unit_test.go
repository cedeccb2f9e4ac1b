package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// command runs the whole command in this process.
func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func TestRunIsSelfContained(t *testing.T) {
	if code, out, _ := command("version"); code != 0 || !strings.HasPrefix(out, "onnxpass ") {
		t.Errorf("version: exit %d, %q", code, out)
	}
	if code, _, err := command("explain", "nothing"); code != 2 || !strings.Contains(err, "OP2015") {
		t.Errorf("explain nothing: exit %d, %q", code, err)
	}
}

func TestMessageForm(t *testing.T) {
	var b bytes.Buffer
	e := diag.New("OP6012", `calibration data does not fit input "images"`, "data", "frames/0007.npy   uint8 [640,640,3]", "wanted", "float32 [1,3,640,640]").
		Hinted("add --layout nhwc")
	printMessage(&b, "error", e, false)
	want := `error[OP6012]: calibration data does not fit input "images"
  data    frames/0007.npy   uint8 [640,640,3]
  wanted  float32 [1,3,640,640]
  hint    add --layout nhwc
  more    onnxpass explain OP6012
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	printMessage(&b, "error", e, true)
	if !strings.HasPrefix(b.String(), "\x1b[1;31merror[OP6012]\x1b[0m: ") {
		t.Errorf("no colour in %q", b.String())
	}
}

// Names from files must not steer the terminal.
func TestMessagesArePrintable(t *testing.T) {
	var b bytes.Buffer
	printMessage(&b, "error", diag.New("OP3101", "bad\x1b[2Jnode", "node", "a\x00b\u009bc"), false)
	if strings.ContainsAny(b.String(), "\x1b\x00\u009b") {
		t.Errorf("control characters in %q", b.String())
	}
	if long := printable(strings.Repeat("ä", 5000)); len(long) > 2100 {
		t.Errorf("%d bytes of one name", len(long))
	}
}

func TestMessagesOfJoinedErrors(t *testing.T) {
	a, b := diag.New("OP3101", "a"), diag.New("OP3102", "b")
	err := fmt.Errorf("pass x: %w", errors.Join(a, b))
	if got := messages(err); len(got) != 2 || got[0] != a || got[1] != b {
		t.Errorf("joined below a wrapper: %v", got)
	}
	got := messages(located(err, "m.onnx"))
	if len(got) != 2 || got[0].Fields[0] != (diag.Field{Label: "file", Text: "m.onnx"}) || a.Fields != nil {
		t.Errorf("located: %+v", got)
	}
	if got := messages(&os.PathError{Op: "open", Path: "p", Err: os.ErrPermission}); got[0].Exit() != 1 {
		t.Errorf("unexpected failure: %+v", got[0])
	}
}

func TestSpoolIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	if err := spool(path, strings.NewReader("12345"), 5); err != nil {
		t.Fatal(err)
	}
	var e *diag.Error
	if err := spool(path, strings.NewReader("123456"), 5); !errors.As(err, &e) || e.Exit() != 7 {
		t.Errorf("six bytes into five: %v", err)
	}
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		bar  bool
		want string
	}{
		{true, "\rcalibrate  [############................] 6/14  8s left\x1b[K"},
		{false, "calibrate 10/14, 4s left\n"},
	} {
		var b bytes.Buffer
		now := time.Unix(0, 0)
		m := &meter{w: &b, bar: c.bar, now: func() time.Time { return now }, width: 28}
		for i := range 14 {
			m.update("calibrate", i, 14)
			now = now.Add(time.Second)
		}
		if !strings.Contains(b.String(), c.want) {
			t.Errorf("bar %v: %q does not hold %q", c.bar, b.String(), c.want)
		}
		m.clear()
		if c.bar && !strings.HasSuffix(b.String(), "\r\x1b[K") {
			t.Error("the bar stays on the screen")
		}
		if !c.bar && strings.Contains(b.String(), "\x1b") {
			t.Errorf("control sequences outside a terminal: %q", b.String())
		}
	}
}

func TestParseCount(t *testing.T) {
	for in, want := range map[string]int64{"300M": 3e8, "4.1G": 41e8, "7": 7, "2k": 2000} {
		if got, err := parseCount(in); err != nil || got != want {
			t.Errorf("%s: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-1", "x", "1e40", "nan", "5Q"} {
		if got, err := parseCount(in); err == nil {
			t.Errorf("%s was read as %d", in, got)
		}
	}
}

func TestReadLabels(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "labels.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got, err := readLabels(write("file,class\na.png,3\n b.png , 4\n"))
	if err != nil || len(got) != 2 || got["a.png"] != 3 || got["b.png"] != 4 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"a,1\nb,x\n", "a,1\nb\n", "a,1\n\"b,2\n"} {
		var e *diag.Error
		if _, err := readLabels(write(bad)); !errors.As(err, &e) || e.Exit() != 6 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestReportKinds(t *testing.T) {
	list, err := parseReports([]string{"a.json", "md:summary", "junit:x", "b.xml", "C:\\x.md"})
	if err != nil {
		t.Fatal(err)
	}
	want := []report{{"json", "a.json"}, {"md", "summary"}, {"junit", "x"}, {"junit", "b.xml"}, {"md", "C:\\x.md"}}
	for i := range want {
		if list[i] != want[i] {
			t.Errorf("got %v, want %v", list[i], want[i])
		}
	}
}
