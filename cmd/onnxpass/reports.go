package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// report is one --report flag.
type report struct{ kind, path string }

// reportKinds are the kinds by name and by file extension.
var reportKinds = map[string]string{"json": "json", ".json": "json", "md": "md", ".md": "md", "junit": "junit", ".xml": "junit"}

func parseReports(flags []string) ([]report, error) {
	var out []report
	for _, f := range flags {
		kind, path, ok := strings.Cut(f, ":")
		if ok && reportKinds[kind] != "" && !strings.HasPrefix(kind, ".") {
			out = append(out, report{reportKinds[kind], path})
			continue
		}
		k := reportKinds[filepath.Ext(f)]
		if k == "" {
			return nil, diag.New("OP2010", "bad value for --report", "found", fmt.Sprintf("%q", f), "wanted", "a file ending in .json, .md or .xml, or json:FILE, md:FILE, junit:FILE")
		}
		out = append(out, report{k, f})
	}
	return out, nil
}

// write makes the file. Markdown is appended, since step summaries collect from several commands.
func (r report) write(whole any, docs []*document) error {
	switch r.kind {
	case "md":
		var b bytes.Buffer
		for _, d := range docs {
			markdown(&b, d)
		}
		f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(b.Bytes())
		return errors.Join(err, f.Close())
	case "junit":
		text, err := junit(docs)
		if err != nil {
			return err
		}
		return replaceFile(r.path, text)
	}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(r.path, append(text, '\n'))
}

func comparisonRows(before, after passes.Bill) [][4]string {
	rows := [][4]string{
		{"parameters", passes.Count(before.Params), passes.Count(after.Params), percent(float64(before.Params), float64(after.Params))},
		{"weight bytes", passes.Bytes(before.ParamBytes), passes.Bytes(after.ParamBytes), percent(float64(before.ParamBytes), float64(after.ParamBytes))},
		{"MACs", macs(before), macs(after), macChange(before, after)},
		{"MACs in int8", fmt.Sprintf("%.1f %%", before.Int8Pct), fmt.Sprintf("%.1f %%", after.Int8Pct), ""},
		{"nodes", fmt.Sprint(before.Nodes), fmt.Sprint(after.Nodes), fmt.Sprintf("%+d", after.Nodes-before.Nodes)},
	}
	if before.FileBytes > 0 && after.FileBytes > 0 {
		rows = append([][4]string{{"file size", passes.Bytes(before.FileBytes), passes.Bytes(after.FileBytes), percent(float64(before.FileBytes), float64(after.FileBytes))}}, rows...)
	}
	return rows
}

// cell makes text safe inside a table of Markdown.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;", "`", "'").Replace(printable(s))
}

type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit makes one suite for a model and one case for every gate, rule that was broken, and error.
func junit(docs []*document) ([]byte, error) {
	all := junitSuites{}
	for _, d := range docs {
		s := junitSuite{Name: printable(d.Input.Path), Time: fmt.Sprintf("%.3f", d.Seconds)}
		add := func(class, name, failure string) {
			c := junitCase{Class: "onnxpass." + class, Name: printable(name)}
			if failure != "" {
				c.Failure = &junitFailure{Message: printable(failure), Text: printable(failure)}
				s.Failures++
			}
			s.Cases = append(s.Cases, c)
		}
		for _, g := range d.Gates {
			failure := ""
			if !g.Pass {
				failure = fmt.Sprintf("%s: limit %s, found %s", g.Code, g.Limit, g.Found)
			}
			add("gate", g.Gate, failure)
		}
		for _, f := range d.Findings {
			failure := ""
			if f.Severity.Failing() {
				failure = f.String()
			}
			add("lint", f.Code+" "+f.Node+f.Value, failure)
		}
		for _, e := range d.Errors {
			if e.Exit() != 4 && e.Exit() != 5 {
				add("error", e.Code, e.Error())
			}
		}
		if len(s.Cases) == 0 {
			add("run", d.Command, "")
		}
		s.Tests = len(s.Cases)
		all.Suites = append(all.Suites, s)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}
