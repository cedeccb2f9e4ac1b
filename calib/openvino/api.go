//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package openvino

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
)

// api is the loaded C library.
type api struct{ fn [functionCount]uintptr }

func openAPI(path string) (*api, error) {
	lib, err := runtimelib.Open(path)
	if err != nil {
		return nil, err
	}
	a := &api{}
	for f, name := range functionNames {
		if a.fn[f], err = lib.Symbol(name); err != nil {
			return nil, fmt.Errorf("the file has no symbol %s: it is not OpenVINO's C library, or one older than 2023", name)
		}
	}
	return a, nil
}

// call calls a function that returns ov_status_e. Arguments converted from
// pointers in the call expression are kept alive until it returns.
//
//go:uintptrescapes
func (a *api) call(f function, args ...uintptr) error {
	r, _, _ := purego.SyscallN(a.fn[f], args...)
	if int32(r) == 0 {
		return nil
	}
	msg, _, _ := purego.SyscallN(a.fn[getLastErrMsg])
	defer purego.SyscallN(a.fn[free], msg)
	text := oneLine(runtimelib.GoString(runtimelib.Pointer(msg)))
	if text == "" {
		text = fmt.Sprintf("%s failed with status %d", functionNames[f], int32(r))
	}
	return errors.New(text)
}

// oneLine joins the lines of an exception's text, less those that only say
// where in OpenVINO's sources it came from.
func oneLine(s string) string {
	var keep []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "Exception from ") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, " / ")
}

// release calls a function that frees one object; NULL is left alone.
func (a *api) release(f function, p unsafe.Pointer) {
	if p != nil {
		purego.SyscallN(a.fn[f], uintptr(p))
	}
}

// setProperty calls ov_core_set_property(core, device, key, value), whose last
// two parameters are variadic: like any others for most conventions, on the
// stack, behind the eight registers, on Apple's arm64.
func (a *api) setProperty(core unsafe.Pointer, key, value string) error {
	device, k, v := runtimelib.CString("CPU"), runtimelib.CString(key), runtimelib.CString(value)
	if runtime.GOOS == "darwin" && runtime.GOARCH == "arm64" {
		return a.call(coreSetProperty, uintptr(core), uintptr(device), 0, 0, 0, 0, 0, 0, uintptr(k), uintptr(v))
	}
	return a.call(coreSetProperty, uintptr(core), uintptr(device), uintptr(k), uintptr(v))
}

// shape is ov_shape_t.
type shape struct {
	rank int64
	dims *int64
}

// newTensor makes a tensor of one's own memory (host) or, for nil, of the library's.
func (a *api) newTensor(elem uintptr, dims []int64, host unsafe.Pointer) (t unsafe.Pointer, err error) {
	out := unsafe.Pointer(&t)
	s := shape{int64(len(dims)), unsafe.SliceData(dims)}
	if runtime.GOOS == "windows" { // structs of 16 bytes go by reference there, in two registers elsewhere
		if host == nil {
			err = a.call(tensorCreate, elem, uintptr(unsafe.Pointer(&s)), uintptr(out))
			return t, err
		}
		err = a.call(tensorCreateFromHostPtr, elem, uintptr(unsafe.Pointer(&s)), uintptr(host), uintptr(out))
		return t, err
	}
	if host == nil {
		err = a.call(tensorCreate, elem, uintptr(s.rank), uintptr(unsafe.Pointer(s.dims)), uintptr(out))
		return t, err
	}
	err = a.call(tensorCreateFromHostPtr, elem, uintptr(s.rank), uintptr(unsafe.Pointer(s.dims)), uintptr(host), uintptr(out))
	return t, err
}
