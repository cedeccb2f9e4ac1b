package all_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Clean a model up and write it. Nothing is printed, and the file appears only
// when it reads back as a valid model that the target accepts.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	m, err := onnx.Open("../../testdata/models/fashion_resnet.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	steps, err := passes.Parse(all.Passes, "cleanup")
	if err != nil {
		log.Fatal(err)
	}
	done, err := passes.Run(context.Background(), passes.Job{
		Model:  m,
		Set:    all.Set(),
		Steps:  steps,
		Target: target.Lookup("openvino"),
		Output: filepath.Join(dir, "clean.onnx"),
	})
	if err != nil {
		log.Fatal(err)
	}
	r := done.Result
	fmt.Println(r.Before.Nodes, "nodes became", r.After.Nodes)
	fmt.Println("MACs:", passes.Count(*r.After.MACs), "for", r.After.Shapes)
	fmt.Println("interface changes:", len(r.Contract))
	// Output:
	// 31 nodes became 22
	// MACs: 9.35 M for image 1x1x28x28
	// interface changes: 0
}

// A failed gate is an error, and nothing is written.
func Example_gate() {
	m, err := onnx.Open("../../testdata/models/fashion_resnet.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	limit := passes.Size(10_000)
	_, err = passes.Run(context.Background(), passes.Job{Model: m, Set: all.Set(), Gates: passes.Gates{MaxSize: &limit}})

	var message *diag.Error
	if errors.Is(err, passes.ErrGate) && errors.As(err, &message) {
		fmt.Println(message.Code, message.What)
	}
	// Output:
	// OP4005 the file is too large
}

// What is wrong with the user's words comes back with a code and a hint.
func Example_errors() {
	_, err := passes.Parse(all.Passes, "qaunt:range=mse")
	var message *diag.Error
	if errors.As(err, &message) {
		fmt.Println(message.Code, message.What+":", message.Hint)
	}
	// Output:
	// OP2002 unknown pass "qaunt": did you mean quant?
}
