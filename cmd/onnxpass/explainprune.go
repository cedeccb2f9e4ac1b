package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/prune"
)

func (a *app) explainPruneCommand() *cobra.Command {
	f := &dataFlags{}
	o := prune.Pass.Defaults().(prune.Options)
	c := &cobra.Command{
		Use: "explain-prune MODEL", Short: "which channels could be pruned; what is held, and why", Args: cobra.ExactArgs(1),
		Long: "List the pools of channels of a model that can only be removed together, the share\n" +
			"of the work that pruning can shrink, and for every layer whose channels must stay the\n" +
			"first reason. Nothing is written.",
		Example: "  onnxpass explain-prune model.onnx\n  onnxpass explain-prune detector.onnx --shape images=1x3x640x640 --json",
		RunE: func(c *cobra.Command, args []string) error {
			return located(a.explainPrune(c.Context(), f, o, args[0]), args[0])
		},
	}
	c.Flags().StringArrayVar(&f.shapes, "shape", nil, "count MACs for the shape `IN=1x3x224x224`; repeatable")
	c.Flags().StringArrayVar(&f.dims, "dim", nil, "the same for a symbolic dimension, as `NAME=SIZE`; repeatable")
	c.Flags().StringVar(&o.Heads, "heads", o.Heads, "what of attention layers may go: heads, head-dim or off")
	c.Flags().StringArrayVar(&o.States, "state", nil, "an input or output `NAME` that carries the state of a recurrent layer; repeatable")
	return c
}

func (a *app) explainPrune(ctx context.Context, f *dataFlags, o prune.Options, path string) error {
	shapes, sizes, err := f.parseShapes()
	if err != nil {
		return err
	}
	if _, err := prune.Pass.Set(o, "heads", o.Heads); err != nil {
		return err
	}
	m, err := a.open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	g, _, err := passes.Load(m)
	if err != nil {
		return err
	}
	if err := checkNames(g, shapes, sizes); err != nil {
		return err
	}
	job := passes.Job{}
	if err := a.attachORT(&job); err != nil {
		return err
	}
	env := &passes.Env{Model: g, Runner: job.Runner, Shapes: shapes, Sizes: sizes}
	steps, err := passes.Parse(a.set.Passes, "opset,cleanup")
	if err != nil {
		return err
	}
	pipe, err := a.set.Arrange(steps, passes.PipelineOptions{})
	if err != nil {
		return err
	}
	if _, err := pipe.Run(ctx, env); err != nil {
		return err
	}
	e, err := prune.Explain(ctx, env, o)
	switch {
	case err != nil:
		return err
	case a.global.json:
		return a.printJSON(e)
	}
	a.printExplanation(e)
	return nil
}

func (a *app) printExplanation(e *prune.Explanation) {
	s := &sheet{w: a.out}
	s.line("work", "%s MACs for %s, %.1f %% of them in layers that can shrink", passes.Count(e.MACs), clip(e.Shapes, 50), e.Prunable)
	s.pools(e.Pools, e.Held)
}

// pools lists channels that go together, what is left of them, and those that stay.
func (s *sheet) pools(pools []passes.Pool, held []passes.Held) {
	for _, p := range pools {
		each, left := "", ""
		if p.Each > 1 {
			each = " of " + count(p.Each, "index", "indices") + " each"
		}
		if p.After != p.Before {
			left = fmt.Sprintf(", %d left with %s", p.After, passes.Count(p.MACsAfter))
		}
		s.line("pool", "%-40s %s%s, %s, %s MACs around them%s", p.Name, count(p.Before, "channel", "channels"), each, count(p.Layers, "layer", "layers"), passes.Count(p.MACsBefore), left)
	}
	for _, h := range held {
		s.line("held", "%-40s %s: %s", h.Node, count(h.Channels, "channel", "channels"), h.Reason)
	}
}
