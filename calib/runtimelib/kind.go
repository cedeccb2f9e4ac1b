package runtimelib

import "runtime"

// Kind says how one runtime's library is called and where distributions of it put the file.
type Kind struct {
	Name    string   // for messages: "ONNX Runtime"
	Flag    string   // command-line flag that names the file
	Env     string   // environment variable that names the file
	Files   []string // file name patterns, best first
	Python  []string // folders below site-packages
	Node    []string // folder patterns below node_modules
	Roots   []string // installation roots outside the loader's own folders
	RootEnv string   // environment variable that holds such a root; may be empty
	Sub     []string // folders below a root
	Cache   string   // folder below the cache of `runtime install`; may be empty
	Hint    string   // how to get it
}

// ONNXRuntime describes ONNX Runtime on this platform.
func ONNXRuntime() Kind {
	return Kind{
		Name:   "ONNX Runtime",
		Flag:   "--ort-lib",
		Env:    "ONNXPASS_ORT_LIB",
		Files:  fileNames(runtime.GOOS, "onnxruntime"),
		Python: []string{"onnxruntime/capi"},
		Node:   []string{"onnxruntime-node/bin/napi-v*/" + nodePlatform(runtime.GOOS, runtime.GOARCH)},
		Roots:  []string{"/opt/onnxruntime*", "/usr/local/onnxruntime*"},
		Sub:    []string{"lib", "lib64", "."},
		Cache:  "onnxruntime-*",
		Hint:   "run: onnxpass runtime install (or: pip install onnxruntime), or name the library with --ort-lib or ONNXPASS_ORT_LIB",
	}
}

// OpenVINO describes the C library of OpenVINO on this platform.
func OpenVINO() Kind {
	return Kind{
		Name:    "OpenVINO",
		Flag:    "--openvino-lib",
		Env:     "ONNXPASS_OPENVINO_LIB",
		Files:   fileNames(runtime.GOOS, "openvino_c"),
		Python:  []string{"openvino/libs"},
		Roots:   []string{"/opt/intel/openvino*", `C:\Program Files (x86)\Intel\openvino*`},
		RootEnv: "INTEL_OPENVINO_DIR",
		Sub:     []string{"runtime/lib/intel64", "runtime/lib/aarch64", "runtime/lib/arm64/Release", "runtime/bin/intel64/Release"},
		Hint:    "pip install openvino, or name the library with --openvino-lib or ONNXPASS_OPENVINO_LIB",
	}
}

// fileNames are the names a shared library goes by, patterns included.
func fileNames(goos, base string) []string {
	switch goos {
	case "windows":
		return []string{base + ".dll"}
	case "darwin":
		return []string{"lib" + base + ".dylib", "lib" + base + ".[0-9]*.dylib"}
	}
	return []string{"lib" + base + ".so", "lib" + base + ".so.[0-9]*"}
}

// nodePlatform is the folder "<process.platform>/<process.arch>" of Node.js packages.
func nodePlatform(goos, goarch string) string {
	if goos == "windows" {
		goos = "win32"
	}
	if goarch == "amd64" {
		goarch = "x64"
	}
	return goos + "/" + goarch
}
