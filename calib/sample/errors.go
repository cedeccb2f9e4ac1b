package sample

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

func unreadable(name string, err error) error {
	e := diag.New("OP6003", "cannot read sample data", "data", name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e.With("found", "no such file or folder").Hinted("check the path given with --data")
	case errors.Is(err, fs.ErrPermission):
		return e.With("found", "no permission to read it")
	}
	return e.Wrap(err)
}

func damaged(name string, err error) error {
	if errors.Is(err, errPickle) {
		return diag.New("OP6015", "sample data holds Python objects", "data", name, "found", "an array of objects (a pickle)").
			Hinted("a pickle can run code when it is loaded, so it is refused: save plain arrays, for instance np.save(path, array.astype(np.float32))")
	}
	if d := (*diag.Error)(nil); errors.As(err, &d) {
		if strings.HasPrefix(d.Code, "OP6") {
			return err
		}
		err = errors.New(d.Error()) // a fault of a sample, whatever it would be in a model
	}
	return diag.New("OP6014", "sample file is damaged or of another kind", "data", name).Wrap(err).
		Hinted("write the file again; it is read as what its name ends in")
}

func tooLarge(name string, n int64) error {
	return diag.New("OP6016", "sample is too large", "data", name,
		"found", fmt.Sprintf("%d bytes", n), "limit", fmt.Sprintf("%d bytes for one array of one sample", int64(maxSample))).
		Hinted("save samples one a file, or with a leading sample axis in an uncompressed .npy in C order")
}
