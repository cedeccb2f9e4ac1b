package region_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/onnx"
)

// kit are the regions of the kit's models as exporters wrote them.
var kit = map[string]string{
	"blazeface_front.onnx":     "",
	"cifar10_resnet20.onnx":    "",
	"cifar10_vit_pgd.onnx":     "2 Softmax, 2 attention",
	"efficientnet_lite0.onnx":  "",
	"mlsd_tiny_320.onnx":       "",
	"mnist_cntk.onnx":          "",
	"nnsplit_en.onnx":          "",
	"portrait_sinet.onnx":      "2 Softmax, 2 squeeze-and-excite gate",
	"ppocr_cls.onnx":           "18 HardSwish, 1 Softmax, 9 squeeze-and-excite gate",
	"ppocrv4_rec.onnx":         "28 HardSwish, 5 LayerNorm, 7 SiLU, 3 Softmax, 2 attention, 2 squeeze-and-excite gate",
	"silero_vad_v6.onnx":       "",
	"vww_mobilenetv1_025.onnx": "1 Softmax",
	"yolox_nano.onnx":          "104 SiLU",
	"yunet_n_dynamic.onnx":     "",
}

// Real models hold what their authors built: the counts are those of the
// operators that the architectures are known for.
func TestKit(t *testing.T) {
	const folder = "../../../shared/kit/models"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("no evaluation kit beside the repository")
	}
	for _, name := range slices.Sorted(maps.Keys(kit)) {
		m, err := onnx.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		g := imported(t, m)
		counts := map[string]int{}
		for sub := range g.Graphs() {
			for _, r := range region.Find(sub).All() {
				counts[string(r.Kind)]++
			}
			closed(t, name, sub)
		}
		var got []string
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			got = append(got, fmt.Sprintf("%d %s", counts[k], k))
		}
		if s := strings.Join(got, ", "); s != kit[name] {
			t.Errorf("%s: %q,", name, s)
		}
		m.Close()
	}
}
