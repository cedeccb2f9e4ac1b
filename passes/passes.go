// Package passes is the framework that passes run in: the Pass value with its
// typed options, the Env a pass works with, the spec language of the -p flag,
// order constraints, and the report.
package passes

import (
	"context"
	"fmt"

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

// String is the phase's name in lower case.
func (p Phase) String() string {
	names := [...]string{"cleanup", "structure", "precision", "quantize", "storage", "finish"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("phase %d", int(p))
	}
	return names[p]
}

// Info describes a pass.
type Info struct {
	Name      string // as written after -p
	Summary   string // one line
	Doc       string // what it does to the model, when it refuses, before and after
	Phase     Phase
	Needs     []string // passes that must run before it in the same pipeline and are pulled in unless --no-prep
	NeedsData bool     // cannot run without samples

	// Follow, if not nil, names passes that complete the work for a target, given the options: the first of them
	// is run behind this one unless another of them runs anyway, or --no-prep leaves such passes out.
	Follow func(options any, t *target.Profile) []string

	// Prepare, if not nil, lists settings (PASS.KEY=VALUE) of the passes that are pulled in before this one, given the options.
	Prepare func(options any) []string

	// Opset, if not nil, is the version of the ai.onnx operator set that the result wants to be written in, given
	// the options; 0: any. The target may be nil.
	Opset func(options any, t *target.Profile) int64
}

// Pass is a documented value with typed options and one function.
type Pass struct {
	Info
	defaults any // the Options struct, by value
	run      func(ctx context.Context, env *Env, options any) error
}

// New makes a Pass whose options are the exported fields of O. A field is set
// by its kebab-case name or by its `opt` tag (`opt:"-"` hides it); the `help`
// tag documents it, `choices:"a|b"` lists what a string (or an element of a
// list) may be, `min:"0"` and `max:"1"` bound a number. Fields may be int,
// int32, int64, float32, float64, bool, string (or named string types),
// time.Duration, Size and []string. An Options struct may be a Validator.
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
