"""Measures the filters of an ONNX model with numpy, by the definitions of "CNN Filter DB" (Gavrikov & Keuper, 2022).

filterstats.py MODEL            prints the measures of every Conv whose weight is an initializer, and the heat maps
filterstats.py MODEL OTHER      prints the shift between the 3x3 kernels of two models
"""
import json
import sys

import numpy as np
import onnx
from onnx import numpy_helper


def layers(path):
    """Yields the name and the weight of every spatial Conv; one that several read comes once."""
    graph, done = onnx.load(path).graph, set()
    weights = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and node.domain in ("", "ai.onnx") and node.input[1] in weights and node.input[1] not in done:
            w = numpy_helper.to_array(weights[node.input[1]]).astype(np.float64)
            if max(w.shape[2:]) > 1:
                done.add(node.input[1])
                yield node.name or node.output[0], w


def kernels(w):
    return w.reshape(w.shape[0] * w.shape[1], -1)


def entropy(x):
    if len(x) < 2:
        return None
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    v = s**2 / max((s**2).sum(), np.finfo(float).tiny)
    v = v[v > 0]
    return float(-(v * np.log10(v)).sum())


def ratio(x, shape):
    if shape != (3, 3) or len(x) < 9:
        return None
    return entropy(x) / (1.2618047 / (1 + np.exp(-0.88767525 * (np.log2(len(x)) - 2.30436435))) - 0.31050834)


def measure(w):
    x = kernels(w)
    sparse = (np.abs(x) < np.abs(x).max() / 100).all(axis=1) | (x == 0).all(axis=1)
    flat = w.reshape(len(w), -1)
    cosines = np.abs(np.atleast_2d(np.corrcoef(np.hstack([flat, -flat]))))  # with its negative, a row has the mean 0: so this is the cosine
    cosines[np.isnan(cosines)] = 0
    pairs = cosines[~np.eye(len(w), dtype=bool)]
    return {
        "kernels": len(x),
        "fve": entropy(x),
        "fve_ratio": ratio(x, w.shape[2:]),
        "clean_fve": entropy(x[~sparse]),
        "clean_fve_ratio": ratio(x[~sparse], w.shape[2:]),
        "sparsity": float(sparse.mean()),
        "orthogonality": float(1 - pairs.mean()) if len(w) > 1 else None,
    }


def heat_maps(model):
    stacks = {}
    for _, w in model:
        if w.std() > 0:
            stacks.setdefault(w.shape[2:], []).append(kernels(w / w.std()))
    return [{"kernel": k, "variance": np.concatenate(s).var(axis=0).tolist()} for k, s in stacks.items()]


def shift(a, b):
    both = []
    for model in (a, b):
        x = np.concatenate([kernels(w) for _, w in model if w.shape[2:] == (3, 3)])
        peak = np.abs(x).max(axis=1, keepdims=True)
        both.append(x / np.where(peak == 0, 1, peak))
    x = np.concatenate(both)
    _, s, components = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    coefficients = [(y - x.mean(axis=0)) @ components.T for y in both]
    most = max(np.abs(c).max() for c in coefficients)
    total = 0
    for i, share in enumerate(s**2 / (s**2).sum()):
        p, q = (histogram(c[:, i], most) for c in coefficients)
        total += share * float((p * np.log(p / q)).sum() + (q * np.log(q / p)).sum())
    return total


def histogram(c, most):
    v, _ = np.histogram(c, range=(-most, most), bins=70, density=True)
    v[v == 0] = np.finfo(np.float32).eps
    return v / v.sum()


if __name__ == "__main__":
    models = [list(layers(path)) for path in sys.argv[1:]]
    if len(models) == 2:
        print(json.dumps({"shift": shift(*models)}))
    else:
        print(json.dumps({"layers": {name: measure(w) for name, w in models[0]}, "heat_maps": heat_maps(models[0])}))
