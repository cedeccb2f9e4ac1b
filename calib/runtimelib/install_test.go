package runtimelib

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// fakePip puts a python3 on PATH that answers "-m pip" with a shell script.
func fakePip(t *testing.T, root, download string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	script := "#!/bin/sh\ncase \"$*\" in *--version*) exit 0;; esac\n" + download + "\n"
	exe := touch(t, root, "bin/python3")
	if err := errors.Join(os.WriteFile(exe, []byte(script), 0o755), os.Chmod(exe, 0o755)); err != nil {
		t.Fatal(err)
	}
}

func TestInstallRefusesAnotherArchive(t *testing.T) {
	root, _ := alone(t)
	fakePip(t, root, "echo not a wheel > onnxruntime.whl")
	_, err := Install(context.Background(), InstallOptions{Platform: "linux/amd64"})
	wantCode(t, err, "OP6206", wheels["linux/amd64"].sha256)
	left, _ := filepath.Glob(filepath.Join(root, "cache/onnxpass/*/*"))
	hidden, _ := filepath.Glob(filepath.Join(root, "cache/onnxpass/.*"))
	if len(left)+len(hidden) != 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
}

func TestInstallPassesOnWhatTheClientSaid(t *testing.T) {
	root, _ := alone(t)
	fakePip(t, root, "echo 'ERROR: no network' >&2; exit 1")
	_, err := Install(context.Background(), InstallOptions{Platform: "linux/amd64"})
	wantCode(t, err, "OP6205", "ERROR: no network")
}

func TestInstallWithoutClientOrPlatform(t *testing.T) {
	alone(t)
	_, err := Install(context.Background(), InstallOptions{Platform: "linux/amd64"})
	wantCode(t, err, "OP6205", "no pip or npm")
	_, err = Install(context.Background(), InstallOptions{Platform: "plan9/mips"})
	wantCode(t, err, "OP6207", "plan9/mips")
	_, err = Install(context.Background(), InstallOptions{Platform: "linux/amd64", Client: "conda"})
	wantCode(t, err, "OP6205", "conda")
}

func TestInstallStopsWithTheContext(t *testing.T) {
	root, _ := alone(t)
	fakePip(t, root, "exec /bin/sleep 60")
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Install(ctx, InstallOptions{Platform: "linux/amd64", Log: func(string) { cancel() }})
	if err != context.Canceled {
		t.Fatalf("got %v", err)
	}
}

func TestInstallKeepsWhatIsThere(t *testing.T) {
	root, _ := alone(t)
	fakePip(t, root, "exit 1")
	want := touch(t, root, "cache/onnxpass/onnxruntime-"+wheelVersion, filepath.Base(wheels["linux/amd64"].member))
	got, err := Install(context.Background(), InstallOptions{Platform: "linux/amd64"})
	if err != nil || got.Path != want || got.Client != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	for name, archive := range map[string][]byte{"a.whl": zipWith(t, "x/lib.so", "content"), "a.tgz": tgzWith(t, "x/lib.so", "content")} {
		path, target := filepath.Join(dir, name), filepath.Join(dir, name+".so")
		if err := os.WriteFile(path, archive, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unpack(path, "x/lib.so", target); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(target); string(b) != "content" {
			t.Errorf("%s: got %q", name, b)
		}
		if err := unpack(path, "x/other.so", target); err == nil {
			t.Errorf("%s: a missing member was unpacked", name)
		}
		if err := os.WriteFile(path, archive[:len(archive)/2], 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unpack(path, "x/lib.so", filepath.Join(dir, "cut")); err == nil {
			t.Errorf("%s: half an archive was unpacked", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "cut")); err == nil {
		t.Error("half a library was left behind")
	}
}

func zipWith(t *testing.T, name, content string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(content))
	z.Close()
	return b.Bytes()
}

func tgzWith(t *testing.T, name, content string) []byte {
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(content))
	w.Close()
	g.Close()
	return b.Bytes()
}

// TestPins checks that every platform with a wheel has an npm member, too, and digests are complete.
func TestPins(t *testing.T) {
	if len(nodeSHA256) != 64 || len(nodeMembers) != len(wheels) {
		t.Error("the npm pin is incomplete")
	}
	for platform, p := range wheels {
		if len(p.sha256) != 64 || nodeMembers[platform] == "" || !strings.Contains(p.member, "onnxruntime") {
			t.Errorf("%s: pin %+v is incomplete", platform, p)
		}
	}
}

// TestInstallForReal downloads with the clients of this machine.
func TestInstallForReal(t *testing.T) {
	if os.Getenv("ONNXPASS_TEST_INSTALL") == "" {
		t.Skip("downloads 141 MB; set ONNXPASS_TEST_INSTALL=1")
	}
	for _, c := range []string{"pip", "npm"} {
		got, err := Install(context.Background(), InstallOptions{Client: c, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(got.Path); err != nil || st.Size() < 10<<20 || got.Client != c {
			t.Errorf("%s: %+v, %v", c, got, err)
		}
	}
}
