package sample_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Every model of the evaluation kit takes its dumped samples as they are.
func TestKitSamplesFit(t *testing.T) {
	root := os.Getenv("ONNXPASS_KIT_CALIB")
	if root == "" {
		t.Skip("no dumped calibration samples (set ONNXPASS_KIT_CALIB)")
	}
	for task, model := range map[string]string{
		"imagenet": "efficientnet_lite0", "cifar10": "cifar10_resnet20", "cifar10-vit": "cifar10_vit_pgd",
		"vww": "vww_mobilenetv1_025", "coco": "yolox_nano", "face": "yunet_n_dynamic", "seg": "portrait_sinet",
		"ocr": "ppocrv4_rec", "ocr-angle": "ppocr_cls", "sent": "nnsplit_en", "vad": "silero_vad_v6",
		"blazeface": "blazeface_front", "mlsd": "mlsd_tiny_320",
	} {
		t.Run(task, func(t *testing.T) {
			proto, err := onnx.Open(filepath.Join("..", "..", "..", "shared", "kit", "models", model+".onnx"))
			if err != nil {
				t.Skip("no evaluation kit beside the repository")
			}
			defer proto.Close()
			m, err := graph.Import(proto)
			if err != nil {
				t.Fatal(err)
			}
			ports := calib.InputPorts(m)
			set, err := sample.Load(context.Background(), []string{filepath.Join(root, task)}, ports, sample.Options{Max: 10})
			if err != nil {
				t.Fatal(err)
			}
			if set.Len() != 10 {
				t.Fatalf("%d samples", set.Len())
			}
			for i := range set.Len() {
				s, err := set.Read(context.Background(), i)
				if err != nil {
					t.Fatal(err)
				}
				if err := calib.Fits(ports, s.Inputs); err != nil {
					t.Fatalf("%s: %v", s.Name, err)
				}
			}
			t.Log(set.Notes, set.Name(0))
		})
	}
}
