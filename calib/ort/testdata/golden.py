"""Run models in the Python binding of ONNX Runtime and keep what went in and came out.

    golden.py OUTDIR THREADS MODEL...

Inputs are drawn from a fixed seed. OUTDIR/<stem>.json lists inputs and outputs as name, NumPy
type, shape and the file beside it that holds the raw elements.
"""
import json
import os
import sys

import numpy as np
import onnxruntime as ort

# Sizes for dims without a value, by model and axis; 1 where nothing is said.
DYNAMIC = {
    "ppocrv4_rec": {2: 48, 3: 160},
    "ppocr_cls": {2: 48, 3: 192},
    "nnsplit_en": {0: 2, 1: 60},
    "yunet_n_dynamic": {2: 160, 3: 192},
}
SILERO = {"input": [1, 576], "state": [2, 1, 128]}
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64}


def sample(model, inp, rng):
    if inp.name == "sr":
        return np.array(16000, np.int64)
    sizes = DYNAMIC.get(model, {})
    dims = [d if isinstance(d, int) else sizes.get(i, 1) for i, d in enumerate(inp.shape)]
    if model == "silero_vad_v6":
        dims = SILERO[inp.name]
    if TYPES[inp.type] is np.float32:
        return rng.standard_normal(dims).astype(np.float32)
    return rng.integers(1, 100, dims).astype(TYPES[inp.type])


def keep(out, stem, name, array):
    file = f"{stem}.bin"
    np.ascontiguousarray(array).tofile(os.path.join(out, file))
    return {"name": name, "type": str(array.dtype), "shape": list(array.shape), "file": file}


def main(out, threads, models):
    options = ort.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.log_severity_level = 4
    for path in models:
        stem = os.path.splitext(os.path.basename(path))[0]
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(7)
        feeds = {i.name: sample(stem, i, rng) for i in session.get_inputs()}
        got = session.run(None, feeds)
        golden = {
            "inputs": [keep(out, f"{stem}.in{i}", k, a) for i, (k, a) in enumerate(feeds.items())],
            "outputs": [keep(out, f"{stem}.out{i}", o.name, a)
                        for i, (o, a) in enumerate(zip(session.get_outputs(), got))],
        }
        with open(os.path.join(out, stem + ".json"), "w") as f:
            json.dump(golden, f)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
