"""Reads the files of interop.sh with NumPy and the safetensors package, and compares them with each other and
with predictions.tsv.

    python interop_arrays.py RUN POINTS PEFT    POINTS without its ending
"""

import json
import pathlib
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

N, P, C, K = 12, 5, 32, 2
CLASSES = ["genau so", "no"]


def check(right, what):
    if not right:
        sys.exit(f"FAILED: {what}")


def same(a, b, what):
    check(a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b), what)


def distances(points, centroids):
    """(N, K) in double."""
    difference = points[:, None].astype(np.float64) - centroids[None].astype(np.float64) + 1e-6
    return np.sqrt((difference**2).sum(-1))


def main(run, points, peft):
    npz, tensors = np.load(f"{points}.npz"), load_file(f"{points}.safetensors")
    check(sorted(npz.files) == sorted(tensors) == ["labels", "points"], "names of the points' files")
    for name in npz.files:
        same(npz[name], tensors[name], f"{name}: .npz and .safetensors differ")
    check(npz["points"].shape == (N, C) and npz["points"].dtype == np.float32, "points")
    check(npz["labels"].dtype == np.int64 and npz["labels"].tolist() == [1, 0] * (N // 2), "labels")

    saved, exported = load_file(run / "prompt.safetensors"), np.load(f"{run}.npz")
    check(saved["prompt_embeddings"].shape == (P, C) and saved["centroids"].shape == (K, C), "a run's shapes")
    same(exported["prompt_embeddings"], saved["prompt_embeddings"], "the prompt in .npz")
    same(exported["centroids"], saved["centroids"], "the centroids in .npz")
    check([name.decode() for name in exported["classes"]] == CLASSES, "the classes in .npz")
    check(json.loads(exported["settings"][0])["classes"] == CLASSES, "the settings in .npz")

    with safe_open(peft / "adapter_model.safetensors", "np") as file:
        check(list(file.keys()) == ["prompt_embeddings"] and file.metadata() == {"format": "pt"}, "PEFT's tensors")
        same(file.get_tensor("prompt_embeddings"), saved["prompt_embeddings"], "the prompt for PEFT")
    same(load_file(peft / "dunlin.safetensors")["centroids"], saved["centroids"], "the centroids beside PEFT's")
    config = json.loads((peft / "adapter_config.json").read_text())
    check(config["peft_type"] == "PROMPT_TUNING" and config["num_virtual_tokens"] == P and
          config["token_dim"] == C and "AFTER" in config["dunlin"]["note"], "adapter_config.json")

    rows = [line.split("\t") for line in (run / "predictions.tsv").read_text().splitlines()[1:]]
    found = distances(npz["points"], saved["centroids"])
    expected = np.array([[float(cell) for cell in row[3:3 + K]] for row in rows])
    check(np.abs(found - expected).max() <= 1e-4 * expected.max(), "distances of NumPy and of predictions.tsv")
    print("all as expected")


main(*map(pathlib.Path, sys.argv[1:4]))
