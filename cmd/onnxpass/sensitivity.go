package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/quant"
)

// sensitivityFlags are the flags of sensitivity.
type sensitivityFlags struct {
	run   runFlags
	few   int
	limit time.Duration
	goal  *float64
	all   bool
}

func (a *app) sensitivityCommand() *cobra.Command {
	f := &sensitivityFlags{}
	c := &cobra.Command{
		Use: "sensitivity MODEL", Short: "rank layers by what 8 bits cost; emit an exclude list", Args: exactly(1, "one model"),
		Long: "Quantize MODEL in memory as -p quant does, then run it with each layer alone in 8 bits and\n" +
			"say what the outputs lose, the layer that is best left in float first. Nothing is written.",
		Example: "  onnxpass sensitivity model.onnx -d samples/ --target openvino\n" +
			"  onnxpass sensitivity model.onnx -d samples/ --min-sqnr 30 --time-limit 1m --json > layers.json",
		RunE: func(c *cobra.Command, args []string) error { return a.sensitivity(c.Context(), f, args[0]) },
	}
	f.add(c.Flags())
	return c
}

func (f *sensitivityFlags) add(fs *pflag.FlagSet) {
	r := &f.run
	fs.StringVar(&r.target, "target", "portable", "runtime, by `NAME`, that will read the quantized file")
	fs.StringArrayVar(&r.set, "set", nil, "one option of the pass as quant.`KEY=VAL`; repeatable")
	fs.Var(newLimit(&f.goal, -200, 200, "DB"), "min-sqnr", "the SQNR that the exclude list is to reach; default 3 dB more than there is")
	fs.IntVar(&f.few, "probe-samples", 16, "run each layer on `N` samples, spread over those of --data")
	fs.DurationVar(&f.limit, "time-limit", 0, "`TIME` for the measurement, such as 90s; thins out the samples, then leaves layers out")
	fs.BoolVar(&f.all, "all", false, "list every layer, not only the first 20")
	setGroup(fs, "Most used", "target", "set", "min-sqnr", "probe-samples", "time-limit", "all")
	r.data.add(fs)
	_ = fs.MarkHidden("verify-data")
	_ = fs.MarkHidden("labels")
	r.addSelection(fs)
	fs.BoolVar(&r.noPrep, "no-prep", false, "do not run the passes that quant needs first")
	fs.IntVarP(&r.threads, "threads", "j", 0, "`N` threads; 0 is all cores")
	fs.StringVar(&r.cacheDir, "cache-dir", "", "`DIR` for calibration statistics; default in the user's cache folder")
	fs.BoolVar(&r.noCache, "no-cache", false, "neither read nor write calibration statistics")
	setGroup(fs, "Run", "no-prep", "threads", "cache-dir", "no-cache")
}

func (a *app) sensitivity(ctx context.Context, f *sensitivityFlags, path string) error {
	if f.few < 1 {
		return diag.New("OP2010", "bad value for --probe-samples", "found", fmt.Sprint(f.few), "wanted", "a number from 1")
	}
	if f.limit < 0 {
		return diag.New("OP2010", "bad value for --time-limit", "found", f.limit.String(), "wanted", "a time such as 90s or 5m")
	}
	ranking := &quant.Ranking{}
	r, err := a.rank(ctx, f, path, ranking)
	if err != nil {
		return located(err, path)
	}
	if a.global.json {
		return a.printJSON(ranking)
	}
	if !a.global.quiet {
		a.printRanking(r, ranking, f.all)
	}
	return nil
}

// rank runs a job of which quant measures instead of writing.
func (a *app) rank(ctx context.Context, f *sensitivityFlags, path string, to *quant.Ranking) (*passes.Result, error) {
	bar := a.progress()
	o := quant.RankOptions{Samples: f.few, Goal: f.goal, Probe: probe.Options{
		Threads: f.run.threads, Limit: f.limit,
		Progress: func(done, total int) { bar.update("measure layers", done, total) },
	}}
	set := a.set
	set.Passes = slices.Clone(set.Passes)
	for i, p := range set.Passes {
		if p.Name == quant.Pass.Name {
			set.Passes[i] = quant.Rank(o, to)
		}
	}
	ranker := *a
	ranker.set = set
	f.run.passes, f.run.dryRun, f.run.runtime = []string{"quant"}, true, "off"
	p, err := ranker.parse(&f.run)
	if err != nil {
		return nil, err
	}
	m, err := a.open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	job, err := ranker.job(ctx, &f.run, p, m, input{path: path})
	if err != nil {
		return nil, err
	}
	job.Progress = bar.update
	done, err := passes.Run(ctx, job)
	bar.clear()
	return done.Result, err
}
