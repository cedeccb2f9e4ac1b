package opset

import (
	"fmt"
	"testing"

	"github.com/onnxpass/onnxpass/onnx/schema"
)

// harmless are steps whose signature changed in a way that needs no rule.
var harmless = map[string]string{
	"Clip 6":               "same bounds, written as defaults",
	"GRU 3":                "an output became optional, a misspelled default",
	"Erf 13":               "integers are refused by the check of element types",
	"ReduceLogSum 28":      "integers are refused by the check of element types",
	"ReduceLogSumExp 28":   "integers are refused by the check of element types",
	"BatchNormalization 6": "consumed_inputs is dropped by a rule",
}

// TestEveryStepIsCovered compares the rules with the operator table: a step
// that takes anything away has a rule.
func TestEveryStepIsCovered(t *testing.T) {
	byVersion := rules()
	for _, op := range schema.All() {
		if op.Domain != "" {
			continue
		}
		before, ok := schema.Lookup("", op.Name, op.Since-1)
		if !ok {
			continue
		}
		step := fmt.Sprintf("%s %d", op.Name, op.Since)
		_, ruled := byVersion[op.Since][op.Name]
		if lost := takenAway(before, op); lost != "" && !ruled && harmless[step] == "" {
			t.Errorf("no rule for %s: %s", step, lost)
		}
	}
}

// takenAway says what a node that conforms to a may have that b does not
// accept or understands differently.
func takenAway(a, b *schema.Op) string {
	switch {
	case b.Deprecated:
		return "deprecated"
	case len(a.Inputs) > len(b.Inputs) || len(a.Outputs) > len(b.Outputs):
		return "fewer inputs or outputs"
	}
	for i, p := range b.Inputs {
		if i >= len(a.Inputs) && p.Option == schema.Single {
			return "new required input " + p.Name
		}
		if i < len(a.Inputs) && a.Inputs[i].Option == schema.Optional && p.Option == schema.Single {
			return "input " + p.Name + " became required"
		}
		if i < len(a.Inputs) && a.Inputs[i].Allowed != nil && p.Allowed != nil && a.Inputs[i].Allowed.Tensor&^p.Allowed.Tensor != 0 {
			return "fewer element types of input " + p.Name
		}
	}
	for i, p := range a.Outputs {
		if p.Allowed != nil && b.Outputs[i].Allowed != nil && p.Allowed.Tensor&^b.Outputs[i].Allowed.Tensor != 0 {
			return "fewer element types of output " + p.Name
		}
	}
	for _, x := range a.Attrs {
		y, ok := b.Attr(x.Name)
		switch {
		case !ok:
			return "attribute " + x.Name + " is gone"
		case x.Type != y.Type:
			return "attribute " + x.Name + " has another type"
		case fmt.Sprint(valueOf(x)) != fmt.Sprint(valueOf(y)):
			return "attribute " + x.Name + " has another default"
		}
	}
	for _, y := range b.Attrs {
		if _, ok := a.Attr(y.Name); !ok && y.Required {
			return "new required attribute " + y.Name
		}
	}
	return ""
}

func valueOf(a schema.Attr) any {
	if a.Default == nil {
		return nil
	}
	d := a.Default
	return fmt.Sprint(d.F, d.I, string(d.S), d.Floats, d.Ints, d.Strings)
}

// TestRulesNameRealSteps finds misspelled operators and wrong versions.
func TestRulesNameRealSteps(t *testing.T) {
	for version, ops := range rules() {
		for name, r := range ops {
			op, ok := schema.Lookup("", name, version)
			if name == "Upsample" && version == 10 || name == "Scatter" && version == 11 {
				continue // deprecated there
			}
			if !ok || op.Since != version || r.what == "" {
				t.Errorf("%s has no version %d", name, version)
			}
		}
	}
}

// TestIRVersions: every opset has a least IR version, and it never falls.
func TestIRVersions(t *testing.T) {
	for _, c := range []struct{ opset, ir int64 }{{1, 3}, {7, 3}, {8, 3}, {9, 4}, {10, 5}, {11, 6}, {12, 7}, {13, 7}, {14, 7},
		{15, 8}, {18, 8}, {19, 9}, {20, 9}, {21, 10}, {22, 10}, {23, 11}, {24, 12}, {25, 13}, {27, 13}} {
		if got := minIR(c.opset); got != c.ir {
			t.Errorf("opset %d: IR version %d, want %d", c.opset, got, c.ir)
		}
	}
}
