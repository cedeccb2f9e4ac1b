// Package passes is the framework that passes run in: the Pass value with its
// typed options, the Env a pass works with, the spec language of the -p flag,
// order constraints, and the report.
package passes

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Phase orders passes whatever order the user typed.
type Phase int

// The phases, in the order they run.
const (
	Cleanup Phase = iota
	Structure
	Precision
	Quantize
	Storage
	Finish
)

// Info describes a pass.
type Info struct {
	Name      string // as written after -p
	Summary   string // one line
	Doc       string // what it does to the model, when it refuses, before and after
	Phase     Phase
	Needs     []string // passes that must run before it in the same pipeline and are pulled in unless --no-prep
	NeedsData bool     // cannot run without samples
}

// Pass is a documented value with typed options and one function.
type Pass struct {
	Info
	defaults any // the Options struct, by value
	run      func(ctx context.Context, env *Env, options any) error
}

// New makes a Pass whose options are the exported fields of O. A field is set
// by its kebab-case name or by its `opt` tag; the `help` tag documents it and
// the `choices` tag lists what a string may be.
func New[O any](info Info, defaults O, run func(context.Context, *Env, O) error) Pass {
	return Pass{Info: info, defaults: defaults, run: func(ctx context.Context, env *Env, options any) error {
		o, ok := options.(O)
		if !ok {
			return fmt.Errorf("pass %s: options of type %T", info.Name, options)
		}
		return run(ctx, env, o)
	}}
}

// Step is a pass with the options it runs with.
type Step struct {
	Pass    Pass
	Options any
}

// Env is what a pass works with.
type Env struct {
	Model  *graph.Model
	Target *target.Profile
	Calib  *calib.Calibration // nil without samples
	Select *Selector          // --only, --exclude, --only-op, --exclude-op
	Runner calib.Runner       // nil when there is no runtime library
	Log    *slog.Logger
	DryRun bool // plan and report, edit nothing
	Report *StepReport
}
