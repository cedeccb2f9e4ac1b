package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/passes/target"
)

func (a *app) targetsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "targets [NAME]", Short: "list targets; explain one with its rules and their sources", Args: atMost(1, "one target"),
		Example: "  onnxpass targets\n  onnxpass targets openvino",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listTargets()
			}
			p, err := findTarget(args[0])
			if err != nil {
				return err
			}
			if a.global.json {
				return a.printJSON(describeTarget(p))
			}
			_, err = fmt.Fprintln(a.out, p.Doc())
			return err
		},
	}
}

// targetInfo is a target in JSON.
type targetInfo struct {
	Name     string      `json:"name"`
	Title    string      `json:"title"`
	Version  string      `json:"facts_of"`
	Summary  string      `json:"summary"`
	Settings [][2]string `json:"settings"`
	Rules    []ruleInfo  `json:"rules"`
}

type ruleInfo struct {
	ID       string `json:"id"`
	Code     string `json:"code,omitempty"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Source   string `json:"source"`
	Checked  bool   `json:"checked"`
}

func describeTarget(p *target.Profile) targetInfo {
	t := targetInfo{p.Name, p.Title, p.Version, p.Summary, p.Settings(), []ruleInfo{}}
	for _, r := range p.Rules {
		t.Rules = append(t.Rules, ruleInfo{r.ID, r.Code, string(r.Severity), r.Text, r.Source, r.Checked()})
	}
	return t
}

func (a *app) listTargets() error {
	if a.global.json {
		list := []targetInfo{}
		for _, n := range target.Names() {
			list = append(list, describeTarget(target.Lookup(n)))
		}
		return a.printJSON(list)
	}
	for _, n := range target.Names() {
		p := target.Lookup(n)
		if _, err := fmt.Fprintf(a.out, "%-10s %s\n%-10s %s\n", p.Name, p.Title, "", p.Summary); err != nil {
			return err
		}
	}
	return nil
}
