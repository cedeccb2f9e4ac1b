package runtimelib

// The releases that `runtime install` gets.
const (
	wheelVersion = "1.32.0"
	nodeVersion  = "1.30.0"
)

// pin is one archive and the file to take from it.
type pin struct {
	version string
	sha256  string // of the archive as the index serves it
	member  string // path inside the archive
	wheel   string // platform tag for pip; empty for npm
}

// Wheels are those for CPython 3.12; the library inside does not depend on Python.
var wheels = map[string]pin{
	"linux/amd64": {wheelVersion, "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
		"onnxruntime/capi/libonnxruntime.so.1.32.0", "manylinux_2_28_x86_64"},
	"linux/arm64": {wheelVersion, "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
		"onnxruntime/capi/libonnxruntime.so.1.32.0", "manylinux_2_28_aarch64"},
	"darwin/arm64": {wheelVersion, "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e",
		"onnxruntime/capi/libonnxruntime.1.32.0.dylib", "macosx_14_0_arm64"},
	"windows/amd64": {wheelVersion, "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40",
		"onnxruntime/capi/onnxruntime.dll", "win_amd64"},
}

// One npm archive serves all platforms.
const nodeSHA256 = "6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75"

var nodeMembers = map[string]string{
	"linux/amd64":   "package/bin/napi-v6/linux/x64/libonnxruntime.so.1",
	"linux/arm64":   "package/bin/napi-v6/linux/arm64/libonnxruntime.so.1",
	"darwin/arm64":  "package/bin/napi-v6/darwin/arm64/libonnxruntime.1.30.0.dylib",
	"windows/amd64": "package/bin/napi-v6/win32/x64/onnxruntime.dll",
}
