#!/usr/bin/env python3
"""Trains on a pandas DataFrame, measures on texts that were held out, and draws the map of their points.

pip install "dunlin[cpu,sklearn]" pandas matplotlib
python feelings.py MODEL data/feelings map.png
"""

import argparse
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from dunlin import PromptClassifier
from sklearn.metrics import classification_report


def read(path):
    """A file of texts and labels, TAB between them."""
    return pd.read_csv(path, sep="\t", names=["text", "label"], quoting=3)


def plane(points):
    """The points (n, D) on their two principal components, (n, 2)."""
    centred = points - points.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


def draw(clf, table, path):
    """Each text a mark in the colour of its label; those that are answered wrongly have a ring."""
    at = plane(clf.transform(table["text"]))
    wrong = clf.predict(table["text"]) != table["label"]
    figure, axes = plt.subplots(figsize=(7, 5))
    for label, rows in table.groupby("label").indices.items():
        axes.scatter(at[rows, 0], at[rows, 1], s=14, label=label)
    axes.scatter(at[wrong, 0], at[wrong, 1], s=60, facecolors="none", edgecolors="black", linewidths=0.6, label="wrong")
    axes.legend()
    axes.set(title=f"{len(table)} held-out texts under the trained prompt", xticks=[], yticks=[])
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model file, or a name of dunlin.models()")
    parser.add_argument("data", type=pathlib.Path, help="the folder with train.tsv and valid.tsv")
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device")
    arguments = parser.parse_args()

    train, valid = read(arguments.data / "train.tsv"), read(arguments.data / "valid.tsv")
    clf = PromptClassifier(
        model=arguments.model,
        prompt=" Overall, my feeling about this was very",
        epochs=arguments.epochs,
        lr=1e-2,
        device=arguments.device,
        options={"train.batch_size": 32},
    )
    clf.fit(train["text"], train["label"])
    print(classification_report(valid["label"], clf.predict(valid["text"])))
    draw(clf, valid, arguments.picture)


if __name__ == "__main__":
    main()
