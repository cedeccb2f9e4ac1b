"""Asks the consumers of a written model whether they take it, and compares their numbers.

    python check.py JOB.json        prints one JSON object a line

JOB.json is a list of {"model": PATH, "original": PATH, "samples": [NPY or NPZ, ...], "runtimes": ["onnxruntime", "openvino"]};
without samples the inputs are random, four times, with 1 for every symbolic dimension.
For each job: the onnx checker with full_check, then every runtime on every sample. `sqnr_db` compares each runtime with the original in
ONNX Runtime; `agree_db` compares OpenVINO with ONNX Runtime on the same written file, both without rewriting beyond what each always does.
A crash of a runtime ends its job only: each job runs in a process of its own.
"""
import json
import subprocess
import sys

import numpy as np


def load(sample, names):
    if isinstance(sample, dict):
        return sample
    data = np.load(sample)
    if hasattr(data, "files"):
        return {n: data[n] for n in data.files}
    return {names[0]: data}


def random_inputs(path):
    import onnxruntime as ort

    rng, feeds = np.random.default_rng(0), []
    inputs = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()
    for _ in range(4):
        feeds.append({i.name: rng.normal(size=[d if isinstance(d, int) else 1 for d in i.shape]).astype(np.float32) for i in inputs})
    return feeds


def sqnr(reference, other):
    power = sum(float((r.astype(np.float64) ** 2).sum()) for run in reference for r in run)
    noise = sum(float(((r.astype(np.float64) - o.astype(np.float64)) ** 2).sum())
                for a, b in zip(reference, other) for r, o in zip(a, b))
    return round(10 * np.log10(power / noise), 2) if noise > 0 and power > 0 else 200.0


def run_onnxruntime(path, samples):
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return [session.run(None, load(s, names)) for s in samples]


def run_openvino(path, samples):
    import openvino as ov

    core = ov.Core()
    model = core.read_model(path)
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2})
    names = [i.get_any_name() for i in compiled.inputs]
    return [[np.array(compiled(load(s, names))[o]) for o in compiled.outputs] for s in samples]


def one(job):
    import onnx

    result = {"model": job["model"], "checker": "ok"}
    try:
        onnx.checker.check_model(job["model"], full_check=True)
    except Exception as error:  # noqa: BLE001  the text is the verdict
        result["checker"] = str(error)[:500]
    runs, samples = {}, job.get("samples") or random_inputs(job["original"])
    for name in job["runtimes"]:
        try:
            runs[name] = {"onnxruntime": run_onnxruntime, "openvino": run_openvino}[name](job["model"], samples)
            result[name] = "ok"
        except Exception as error:  # noqa: BLE001
            result[name] = " ".join(str(error).split())[:500]
    if runs and job.get("original"):
        reference = run_onnxruntime(job["original"], samples)
        result["sqnr_db"] = {name: sqnr(reference, r) for name, r in runs.items()}
        if len(runs) == 2:
            result["agree_db"] = sqnr(runs["onnxruntime"], runs["openvino"])
    return result


def main():
    if sys.argv[1] == "--one":
        print("@" + json.dumps(one(json.load(sys.stdin))), flush=True)
        return
    for job in json.load(open(sys.argv[1])):
        done = subprocess.run([sys.executable, __file__, "--one"], input=json.dumps(job), text=True, capture_output=True, timeout=600)
        lines = [line[1:] for line in done.stdout.splitlines() if line.startswith("@")]
        print(lines[-1] if lines else json.dumps({"model": job["model"], "crash": f"status {done.returncode}: {done.stderr[-300:]}"}), flush=True)


if __name__ == "__main__":
    main()
