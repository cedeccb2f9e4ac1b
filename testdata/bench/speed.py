"""Speed of INT8 files beside the float models and beside another quantizer's files, as a Markdown table.

    .venv/bin/python testdata/bench/speed.py --engine ort      --ours out/ort      --rival peers/ort  [--kit ../shared/kit] [--samples calib/]
    .venv/bin/python testdata/bench/speed.py --engine openvino --ours out/openvino --rival peers/nncf [--threads 1 2] [--rounds 60]

--ours and --rival are folders of files called like the kit's models; what one of them lacks is left out. --samples has a folder of .npy files
for each task, as the kit's `eval.py --dump-calib` writes them; the first sample is what runs. All files of all models are loaded at once and
take turns in every round, in changing order, one run to warm up and one that counts; a figure is the least of the rounds, a ratio that of the least. On a machine with other load put
`chrt -r 1` before the command.

The share of layers is that of convolutions and matrix products that the runtime runs on 8-bit operands, out of all in the graph that it
executes: ONNX Runtime's optimised model, OpenVINO's execution graph.
"""
import argparse
import pathlib
import tempfile
import time

import numpy as np

TASKS = {
    "efficientnet_lite0": "imagenet", "cifar10_resnet20": "cifar10", "cifar10_vit_pgd": "cifar10-vit", "vww_mobilenetv1_025": "vww",
    "yolox_nano": "coco", "yunet_n_dynamic": "face", "portrait_sinet": "seg", "ppocrv4_rec": "ocr", "ppocr_cls": "ocr-angle",
    "nnsplit_en": "sent", "blazeface_front": "blazeface", "mlsd_tiny_320": "mlsd",
}
FLOAT = {"Conv", "FusedConv", "NhwcFusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"}
INTEGER = {"QLinearConv", "QLinearConvTranspose", "QGemm", "QLinearMatMul", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "ConvInteger", "MatMulInteger"}


class Ort:
    def __init__(self, path, threads):
        import onnx
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle sessions would hold the cores
        with tempfile.TemporaryDirectory() as folder:
            options.optimized_model_filepath = f"{folder}/optimized.onnx"
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            kinds = [n.op_type for n in onnx.load(options.optimized_model_filepath, load_external_data=False).graph.node]
        self.int8 = sum(k in INTEGER for k in kinds)
        self.layers = self.int8 + sum(k in FLOAT for k in kinds)
        self.name = self.session.get_inputs()[0].name

    def run(self, x):
        self.session.run(None, {self.name: x})


class OpenVino:
    def __init__(self, path, threads):
        import openvino

        self.x = None
        self.core = openvino.Core()
        self.model = self.core.read_model(str(path))
        self.settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}

    def prepare(self, x):
        self.model.reshape(list(x.shape))
        compiled = self.core.compile_model(self.model, "CPU", self.settings)
        self.request = compiled.create_infer_request()
        kinds = [(n.rt_info["layerType"].astype(str), n.rt_info["runtimePrecision"].astype(str)) for n in compiled.get_runtime_model().get_ordered_ops()]
        linear = [precision for kind, precision in kinds if kind in {"Convolution", "Deconvolution", "FullyConnected", "MatMul"}]
        self.layers, self.int8 = len(linear), sum(p.lower() in {"u8", "i8"} for p in linear)

    def run(self, x):
        self.request.infer([x], share_inputs=True)


def load(engine, path, threads, x):
    if path is None or not path.exists():
        return None
    try:
        model = {"ort": Ort, "openvino": OpenVino}[engine](path, threads)
        if engine == "openvino":
            model.prepare(x)
        model.run(x)
        return model
    except Exception as error:  # a file that the runtime refuses is a row of the table as well
        print(f"<!-- {path.name}: {str(error).splitlines()[0][:160]} -->")
        return None


def measure(cases, rounds):
    """The least seconds of every file, all files taking turns."""
    best = {k: [float("inf")] * len(files) for k, (_, files) in cases.items()}
    for turn in range(rounds):
        for name, (x, files) in cases.items():
            for k in range(len(files)):
                i = (k + turn) % len(files)
                model = files[i]
                if model is not None:
                    model.run(x)  # what another model left in the caches is nobody's fault
                    start = time.perf_counter()
                    model.run(x)
                    best[name][i] = min(best[name][i], time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["ort", "openvino"], required=True)
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--rival", type=pathlib.Path)
    parser.add_argument("--kit", type=pathlib.Path, default=pathlib.Path("../shared/kit"))
    parser.add_argument("--samples", type=pathlib.Path, default=pathlib.Path("/tmp/onnxpass-accuracy"))
    parser.add_argument("--only", nargs="*", default=list(TASKS))
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    print("| model | threads | FP32 ms | ours ms | rival ms | ours / FP32 | ours / rival | 8-bit layers, ours | 8-bit layers, rival |\n|---|---|---|---|---|---|---|---|---|")
    for threads in args.threads:
        cases = {}
        for name in args.only:
            x = np.load(sorted((args.samples / TASKS[name]).glob("*.npy"))[0])
            paths = [args.kit / "models" / f"{name}.onnx", args.ours / f"{name}.onnx", args.rival and args.rival / f"{name}.onnx"]
            cases[name] = x, [load(args.engine, p, threads, x) for p in paths]
        for name, seconds in measure(cases, args.rounds).items():
            files = cases[name][1]
            ms = [f"{1e3 * s:.2f}" if m else "" for s, m in zip(seconds, files)]
            ratio = [f"{seconds[1] / seconds[i]:.2f}" if files[1] and files[i] else "" for i in (0, 2)]
            share = [f"{m.int8} of {m.layers}" if m else "" for m in files[1:]]
            print("|", " | ".join([name, str(threads), *ms, *ratio, *share]), "|", flush=True)


if __name__ == "__main__":
    main()
