#!/usr/bin/env python3
"""Writes tests/reference/pca.json: small point sets with what scikit-learn's PCA(2) makes of them.

    python3 -m venv build/pca-env && build/pca-env/bin/pip install scikit-learn
    build/pca-env/bin/python tools/reference_pca.py
"""
import json
import pathlib

import numpy
from sklearn.decomposition import PCA

SHAPES = [  # name, n, D, what the points look like
    ("tall", 40, 5, "plain"),
    ("wide", 9, 60, "plain"),
    ("square", 16, 16, "plain"),
    ("far", 24, 12, "far"),        # a mean a thousand times the spread
    ("close", 30, 10, "close"),    # second and third variance within 2 %
    ("plane", 12, 30, "plane"),    # only two directions
    ("flat", 10, 2, "plain"),
]


def points(kind, n, d, random):
    x = random.standard_normal((n, d))
    if kind == "plain":
        x *= numpy.linspace(2.0, 0.3, d)
    elif kind == "far":
        x = x * numpy.linspace(1.5, 0.2, d) + 1000.0 * random.standard_normal(d)
    elif kind == "close":
        u, _, v = numpy.linalg.svd(x - x.mean(axis=0), full_matrices=False)
        x = u * ([6.0, 4.0, 3.96] + [1.0] * (d - 3)) @ v
    elif kind == "plane":
        x = random.standard_normal((n, 2)) @ random.standard_normal((2, d))
    return x.astype(numpy.float32)


def main():
    random = numpy.random.default_rng(1)
    cases = []
    for name, n, d, kind in SHAPES:
        x = points(kind, n, d, random)
        pca = PCA(n_components=2, svd_solver="full").fit(x.astype(numpy.float64))
        cases.append({
            "name": name, "n": n, "width": d,
            "points": [float(f"{v:.9g}") for v in x.ravel()],
            "projected": [float(f"{v:.9g}") for v in pca.transform(x.astype(numpy.float64)).ravel()],
            "variance": [float(f"{v:.9g}") for v in pca.explained_variance_],
            "share": [float(f"{v:.9g}") for v in pca.explained_variance_ratio_],
        })
    out = pathlib.Path(__file__).resolve().parent.parent / "tests/reference/pca.json"
    out.write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")
    print(out, out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
