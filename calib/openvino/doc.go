// Package openvino executes models with the CPU plugin of OpenVINO, through
// its C library, which is loaded at run time without cgo.
//
// OpenVINO can crash on a model that it should refuse. A Runtime (Load) runs
// it in this process. A Process runs it in a child: a crash there is an error
// (OP6354) and cancelling stops even a compilation. The child is the same
// program, started with arguments that make it serve:
//
//	// in main, for a hidden subcommand, before anything is written to stdout:
//	if err := openvino.ServeStdio(); err != nil { os.Exit(1) }
//
//	// where a Runner is wanted:
//	exe, err := os.Executable()
//	runner, status, err := openvino.Discover(ctx, runtimelib.Options{Flag: flag}, exe, "hidden-subcommand")
//
// Models with dynamic shapes are reshaped to each sample and compiled for it;
// samples of one size after another share a compilation. Float layers run in
// float32 (INFERENCE_PRECISION_HINT), so that results show what quantization
// did and not what bfloat16 did. OpenVINO has no optimisation levels: that of
// calib.OpenOptions is not used.
package openvino
