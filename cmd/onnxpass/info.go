package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// printJSON writes v as one indented document.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// exactly is a check of the number of arguments with our kind of message.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usageError("%s takes %s, not %d arguments", c.CommandPath(), what, len(args)).Hinted("see %s --help", c.CommandPath())
	}
}

func atMost(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return usageError("%s takes %s, not %d arguments", c.CommandPath(), what, len(args)).Hinted("see %s --help", c.CommandPath())
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "version of the tool", Args: exactly(0, "no argument"),
		Example: "  onnxpass version\n  onnxpass version --json",
		RunE: func(*cobra.Command, []string) error {
			commit := buildSetting("vcs.revision")
			if a.global.json {
				return a.printJSON(map[string]string{"version": version, "commit": commit, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			if commit != "" {
				commit = " " + commit[:min(12, len(commit))]
			}
			_, err := fmt.Fprintf(a.out, "onnxpass %s%s %s/%s %s\n", version, commit, runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
}

func buildSetting(key string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain [CODE]", Short: "what a message means and what to do", Args: atMost(1, "one code"),
		Example: "  onnxpass explain OP6012\n  onnxpass explain          # list all codes",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listCodes()
			}
			e, ok := diag.Explain(args[0])
			if !ok {
				var codes []string
				for _, e := range diag.Codes() {
					codes = append(codes, e.Code)
				}
				m := diag.New("OP2015", fmt.Sprintf("unknown code %q", args[0]))
				if near := diag.DidYouMean(args[0], codes); near != "" {
					return m.Hinted("%s", near)
				}
				return m.Hinted("onnxpass explain lists all codes")
			}
			if a.global.json {
				return a.printJSON(map[string]any{"code": e.Code, "exit": diag.New(e.Code, "").Exit(), "title": e.Title, "text": e.Long})
			}
			_, err := fmt.Fprintf(a.out, "%s: %s\n\n%s\n", e.Code, e.Title, e.Long)
			return err
		},
	}
}

func (a *app) listCodes() error {
	if a.global.json {
		list := []map[string]string{}
		for _, e := range diag.Codes() {
			list = append(list, map[string]string{"code": e.Code, "title": e.Title})
		}
		return a.printJSON(list)
	}
	for _, e := range diag.Codes() {
		if _, err := fmt.Fprintf(a.out, "%s  %s\n", e.Code, e.Title); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) passesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "passes [NAME]", Short: "list passes; explain one with its options", Args: atMost(1, "one pass"),
		Example: "  onnxpass passes\n  onnxpass passes quant",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				p, err := passes.Find(a.set.Passes, args[0])
				if err != nil {
					return err
				}
				return a.explainPass(p)
			}
			return a.listPasses()
		},
	}
}

// passInfo is a pass in JSON.
type passInfo struct {
	Name      string          `json:"name"`
	Phase     string          `json:"phase"`
	Summary   string          `json:"summary"`
	Doc       string          `json:"doc"`
	Needs     []string        `json:"needs"`
	NeedsData bool            `json:"needs_data"`
	Options   []passes.Option `json:"options"`
}

func describe(p passes.Pass) passInfo {
	return passInfo{p.Name, p.Phase.String(), p.Summary, p.Doc, append([]string{}, p.Needs...), p.NeedsData, append([]passes.Option{}, p.Options()...)}
}

func (a *app) listPasses() error {
	if a.global.json {
		list := []passInfo{}
		for _, p := range a.set.Passes {
			list = append(list, describe(p))
		}
		return a.printJSON(list)
	}
	for _, p := range a.set.Passes {
		fmt.Fprintf(a.out, "%-14s %-10s %s\n", p.Name, p.Phase, p.Summary)
	}
	fmt.Fprintf(a.out, "\nThe second column is the phase: passes run in the order of phases. onnxpass passes NAME explains one.\n")
	return nil
}

func (a *app) explainPass(p passes.Pass) error {
	if a.global.json {
		return a.printJSON(describe(p))
	}
	fmt.Fprintf(a.out, "%s: %s\n\n%s\n\nphase   %s\n", p.Name, p.Summary, strings.TrimSpace(p.Doc), p.Phase)
	if len(p.Needs) > 0 {
		fmt.Fprintf(a.out, "needs   %s (pulled in unless --no-prep)\n", strings.Join(p.Needs, ", "))
	}
	if p.NeedsData {
		fmt.Fprintln(a.out, "data    needs samples (-d)")
	}
	for _, o := range a.set.Order {
		switch p.Name {
		case o.Before:
			fmt.Fprintf(a.out, "order   before %s: %s\n", o.After, o.Why)
		case o.After:
			fmt.Fprintf(a.out, "order   after %s: %s\n", o.Before, o.Why)
		}
	}
	if opts := p.Options(); len(opts) > 0 {
		fmt.Fprintln(a.out, "\nOptions")
		for _, o := range opts {
			fmt.Fprintf(a.out, "  %-18s %s\n  %-18s %s; default %s\n", o.Name, o.Help, "", o.Allowed(), o.Default)
		}
	}
	return nil
}
