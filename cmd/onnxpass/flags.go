package main

import (
	"math"

	"github.com/spf13/pflag"

	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/passes"
)

// runFlags are the flags of the default action.
type runFlags struct {
	passes     []string
	set        []string
	output     string
	target     string
	dryRun     bool
	keepOrder  bool
	noPrep     bool
	data       dataFlags
	sel        passes.Selection
	gates      gateFlags
	noVerify   bool
	runtime    string // auto, off, require
	reports    []string
	external   string
	force      bool
	inPlace    bool
	keepReject bool
	threads    int
	cacheDir   string
	noCache    bool
	werror     bool
	ioDtype    string // keep, low
	strict     bool
}

// dataFlags say what a model is run on.
type dataFlags struct {
	paths, verify []string
	n             int
	preset        string
	resize, crop  string
	mean, std     string
	scale         string
	color, layout string
	fit, filter   string
	shapes, dims  []string
	labels        string
	seed          uint64
}

// gateFlags are limits that the new model must keep.
type gateFlags struct {
	minSQNR, minCos, minAgree, minAccuracy *float64
	maxAbs                                 []string
	maxSize                                *passes.Size
	maxMACs                                *int64
}

func (f *runFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.passes, "passes", "p", nil, "passes to run as a `LIST`: cleanup,quant:range=mse (see: onnxpass passes)")
	fs.StringVarP(&f.output, "output", "o", "", "`FILE`, DIR/ or - where to write; default MODEL.<passes>.onnx")
	fs.StringVar(&f.target, "target", "", "runtime, by `NAME`, that will read the file (see: onnxpass targets); default portable for passes that choose types")
	fs.StringArrayVar(&f.set, "set", nil, "one option of a pass as `PASS.KEY=VAL`; repeatable")
	fs.BoolVar(&f.dryRun, "dry-run", false, "print the plan, write nothing")
	fs.BoolVar(&f.keepOrder, "keep-order", false, "run the passes in the order given")
	fs.BoolVar(&f.noPrep, "no-prep", false, "do not pull in the passes that others need")
	setGroup(fs, "Most used", "passes", "output", "target", "set", "dry-run", "keep-order", "no-prep")
	f.data.add(fs)
	f.addSelection(fs)
	f.gates.add(fs)
	f.addProof(fs)
	f.addOutput(fs)
}

func (d *dataFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&d.paths, "data", "d", nil, "samples as `[IN=]PATH`: npy, npz, test_data_set_*, images, raw, or random; repeatable")
	fs.StringArrayVar(&d.verify, "verify-data", nil, "samples to verify on, as `PATH`; default the last 20 % of --data")
	fs.IntVarP(&d.n, "samples", "n", 300, "read at most `N` samples")
	fs.Var(newEnum(&d.preset, "", sample.Presets()...), "preset", "preprocessing of images; the flags below override it")
	fs.StringVar(&d.resize, "resize", "", "resize images to `WxH`")
	fs.StringVar(&d.crop, "crop", "", "crop the centre of images to `WxH`")
	fs.StringVar(&d.mean, "mean", "", "subtract `A,B,C` by channel, after --scale")
	fs.StringVar(&d.std, "std", "", "divide by `A,B,C` by channel, after --mean")
	fs.StringVar(&d.scale, "scale", "", "multiply bytes by `F`, such as 1/255")
	fs.Var(newEnum(&d.color, "", "rgb", "bgr", "gray"), "color", "channels of images")
	fs.Var(newEnum(&d.layout, "", "nchw", "nhwc"), "layout", "axes of images")
	fs.Var(newEnum(&d.fit, "", "stretch", "cover", "letterbox"), "fit", "how images are brought to the size")
	fs.Var(newEnum(&d.filter, "", "bilinear", "bicubic", "linear", "nearest"), "filter", "how images are resampled")
	fs.StringArrayVar(&d.shapes, "shape", nil, "run and count with the shape `IN=1x3x224x224`; repeatable")
	fs.StringArrayVar(&d.dims, "dim", nil, "the same for a symbolic dimension, as `NAME=SIZE`; repeatable")
	fs.StringVar(&d.labels, "labels", "", "CSV `FILE` of sample name and class: measures top-1 accuracy")
	fs.Uint64Var(&d.seed, "seed", 0, "seed `N` of --data random")
	setGroup(fs, "Data", "data", "verify-data", "samples", "preset", "resize", "crop", "mean", "std", "scale", "color", "layout", "fit", "filter", "shape", "dim", "labels", "seed")
}

func (f *runFlags) addSelection(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.sel.Only, "only", nil, "change only nodes whose name matches `GLOB`; re: before a regular expression")
	fs.StringArrayVar(&f.sel.Exclude, "exclude", nil, "leave nodes whose name matches `GLOB`")
	fs.StringArrayVar(&f.sel.OnlyOp, "only-op", nil, "change only operators of `TYPE`")
	fs.StringArrayVar(&f.sel.ExcludeOp, "exclude-op", nil, "leave operators of `TYPE`")
	setGroup(fs, "Selection", "only", "exclude", "only-op", "exclude-op")
}

func (g *gateFlags) add(fs *pflag.FlagSet) {
	g.addNumeric(fs)
	fs.Var(&sizeFlag{&g.maxSize}, "max-size", "largest file, such as 25MiB")
	fs.Var(&countFlag{&g.maxMACs}, "max-macs", "most multiply-accumulates, such as 300M")
	setGroup(fs, "Gates (one that fails: exit 4, nothing written)", "max-size", "max-macs")
}

func (g *gateFlags) addNumeric(fs *pflag.FlagSet) {
	inf := math.Inf(1)
	fs.Var(newLimit(&g.minSQNR, -200, inf, "DB"), "min-sqnr", "least signal-to-noise ratio against the original")
	fs.Var(newLimit(&g.minCos, -1, 1, "X"), "min-cos", "least cosine of the outputs")
	fs.StringArrayVar(&g.maxAbs, "max-abs", nil, "largest difference of an output, as `[OUT=]X`; repeatable")
	fs.Var(newLimit(&g.minAgree, 0, 100, "PCT"), "min-agree", "least share of samples with the same argmax")
	fs.Var(newLimit(&g.minAccuracy, 0, 100, "PCT"), "min-accuracy", "least top-1 accuracy, with --labels")
	setGroup(fs, "Gates (one that fails: exit 4, nothing written)", "min-sqnr", "min-cos", "max-abs", "min-agree", "min-accuracy")
}

func (f *runFlags) addProof(fs *pflag.FlagSet) {
	fs.BoolVar(&f.noVerify, "no-verify", false, "do not run the new model (recorded in the file)")
	fs.Var(newEnum(&f.runtime, "auto", "auto", "off", "require"), "runtime-check", "run the file in the target's own runtime too")
	fs.BoolVar(&f.werror, "werror", false, "fail on warnings")
	fs.IntVarP(&f.threads, "threads", "j", 0, "`N` threads; 0 is all cores")
	fs.StringVar(&f.cacheDir, "cache-dir", "", "`DIR` for calibration statistics; default in the user's cache folder")
	fs.BoolVar(&f.noCache, "no-cache", false, "neither read nor write calibration statistics")
	setGroup(fs, "Run", "no-verify", "runtime-check", "werror", "threads", "cache-dir", "no-cache")
}

func (f *runFlags) addOutput(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.reports, "report", nil, "write a report to `[KIND:]FILE`; kinds json, md (appends), junit; repeatable")
	fs.Var(newEnum(&f.external, "auto", "auto", "always", "never"), "external-data", "weights in a file beside the model; auto is above 1.9 GiB")
	fs.Var(newEnum(&f.ioDtype, "", "keep", "low"), "io-dtype", "types of float inputs and outputs under fp16 and bf16")
	fs.BoolVar(&f.strict, "strict", false, "fail when a constant has values outside the range of a 16-bit type")
	fs.BoolVar(&f.force, "force", false, "overwrite an existing output")
	fs.BoolVar(&f.inPlace, "in-place", false, "replace the input")
	fs.BoolVar(&f.keepReject, "keep-rejected", false, "keep a file that failed a gate as OUT.rejected")
	setGroup(fs, "Output", "report", "external-data", "io-dtype", "strict", "force", "in-place", "keep-rejected")
}
