package graph

import (
	"errors"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

func code(err error) string {
	var e *diag.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
