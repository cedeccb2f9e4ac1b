"""Run models in the Python binding of OpenVINO and keep what went in and came out.

    golden.py OUTDIR THREADS MODEL...

Inputs are drawn from a fixed seed. OUTDIR/<stem>.json lists inputs and outputs as name, NumPy
type, shape and the file beside it that holds the raw elements.
"""
import json
import os
import sys

import numpy as np
import openvino as ov

# Sizes for dims without a value, by model and axis; 1 where nothing is said.
DYNAMIC = {
    "ppocrv4_rec": {2: 48, 3: 160},
    "ppocr_cls": {2: 48, 3: 192},
    "nnsplit_en": {0: 2, 1: 60},
    "yunet_n_dynamic": {2: 160, 3: 192},
}


def sample(model, port, rng):
    sizes = DYNAMIC.get(model, {})
    dims = [sizes.get(i, 1) if d.is_dynamic else d.get_length() for i, d in enumerate(port.partial_shape)]
    if port.element_type == ov.Type.f32:
        return rng.standard_normal(dims).astype(np.float32)
    return rng.integers(1, 100, dims).astype(port.element_type.to_dtype())


def keep(out, stem, name, array):
    file = f"{stem}.bin"
    np.ascontiguousarray(array).tofile(os.path.join(out, file))
    return {"name": name, "type": str(array.dtype), "shape": list(array.shape), "file": file}


def main(out, threads, models):
    core = ov.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1"}
    for path in models:
        stem = os.path.splitext(os.path.basename(path))[0]
        model, rng = core.read_model(path), np.random.default_rng(7)
        feeds = {p.any_name: sample(stem, p, rng) for p in model.inputs}
        if model.is_dynamic():
            model.reshape({name: ov.PartialShape(list(a.shape)) for name, a in feeds.items()})
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        got = request.infer(feeds)
        golden = {
            "inputs": [keep(out, f"{stem}.in{i}", k, a) for i, (k, a) in enumerate(feeds.items())],
            "outputs": [keep(out, f"{stem}.out{i}", p.any_name, a) for i, (p, a) in enumerate(got.items())],
        }
        with open(os.path.join(out, stem + ".json"), "w") as f:
            json.dump(golden, f)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
