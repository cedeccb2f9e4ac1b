"""Accuracy of the written INT8 files on the evaluation kit, as Markdown tables.

    make build .venv/ready
    .venv/bin/python testdata/bench/accuracy.py [--kit ../shared/kit] [--work /tmp/onnxpass-accuracy] [--only NAME ...] [--targets ort openvino]

For every model: calibration samples from the kit, `onnxpass -p quant` with defaults for each target, then the kit's evaluator on its scoring
samples (which are never calibrated on). `ort`, `tensorrt` and `portable` files are scored in ONNX Runtime, `openvino` files in OpenVINO.
"""
import argparse
import json
import pathlib
import subprocess
import sys

CASES = {  # model: (task, calibration samples, figure)
    "efficientnet_lite0": ("imagenet", 100, "top1"),
    "cifar10_resnet20": ("cifar10", 300, "top1"),
    "cifar10_vit_pgd": ("cifar10-vit", 300, "top1"),
    "vww_mobilenetv1_025": ("vww", 300, "top1"),
    "yolox_nano": ("coco", 48, "map50"),
    "yunet_n_dynamic": ("face", 48, "ap50_vs_fp32"),
    "portrait_sinet": ("seg", 48, "iou_vs_fp32"),
    "ppocrv4_rec": ("ocr", 300, "cer"),
    "ppocr_cls": ("ocr-angle", 300, "top1"),
    "nnsplit_en": ("sent", 100, "f1"),
    "silero_vad_v6": ("vad", 300, "auc"),
    "blazeface_front": ("blazeface", 48, None),
    "mlsd_tiny_320": ("mlsd", 48, None),
}


def lines(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def quantize(tool, model, data, out, target):
    code, text, errors = lines(tool, "-p", "quant", model, "-d", data, "-o", out, "--target", target, "--force",
                               "--no-cache", "--runtime-check", "off", "--json")
    if code != 0:
        return None, f"exit {code}: {errors.splitlines()[0] if errors else ''}"
    return json.loads(text), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="bin/onnxpass")
    parser.add_argument("--kit", type=pathlib.Path, default=pathlib.Path("../shared/kit"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/onnxpass-accuracy"))
    parser.add_argument("--only", nargs="*", default=list(CASES))
    parser.add_argument("--targets", nargs="*", default=["ort", "openvino", "tensorrt", "portable"])
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    evaluator = args.kit / "eval" / "eval.py"
    print("| model | target | runtime | size of FP32 | INT8 share of MACs | SQNR dB | figure | FP32 |\n|---|---|---|---|---|---|---|---|")
    for name in args.only:
        task, count, figure = CASES[name]
        model, data = args.kit / "models" / f"{name}.onnx", args.work / task
        if not data.exists():
            lines(sys.executable, evaluator, "--dump-calib", task, data, count)
        reference = json.loads(lines(sys.executable, evaluator, task, model, "--json")[1] or "{}")
        for target in args.targets:
            out = args.work / f"{name}.{target}.onnx"
            report, why = quantize(args.tool, model, data, out, target)
            if why:
                print(f"| {name} | {target} | | {why} | | | | |", flush=True)
                continue
            engine = "openvino" if target == "openvino" else "ort"
            code, text, errors = lines(sys.executable, evaluator, task, out, "--engine", engine, "--ref", "kit", "--json")
            score = json.loads(text.splitlines()[-1]) if code == 0 else {}
            share = report["after"]["macs_int8_pct"]
            size = out.stat().st_size / model.stat().st_size
            sqnr = score.get("agreement", {}).get("sqnr_db", "refused")
            value = f"{figure} {score.get(figure)}" if figure and score else ""
            print(f"| {name} | {target} | {engine} | {100 * size:.1f} % | {share:.1f} % | {sqnr} | {value} | {reference.get(figure, '')} |", flush=True)


if __name__ == "__main__":
    main()
