"""What tools/test-python runs: by_hand.py search|intel MODEL."""

import os
import pathlib
import sys

import dunlin
import numpy as np
from sklearn.model_selection import GridSearchCV

TEXTS = [word for i in range(12) for word in (f"aa ab ba {i}", f"zz zy yz {i}")]
LABELS = ["low", "high"] * 12


def estimator(model, **parameters):
    options = {"prompt.init": "random", "prompt.tokens": 3, "train.batch_size": 5, "train.probe": "no"}
    return dunlin.PromptClassifier(model, prompt=None, options=options, **parameters)


def search(model):
    """A grid in two processes, each of which opens the device."""
    grid = {"lr": [1e-3, 2e-2], "epochs": [1, 3]}
    found = GridSearchCV(estimator(model, device="cpu"), grid, cv=3, n_jobs=2).fit(TEXTS, LABELS)
    alone = GridSearchCV(estimator(model, device="cpu"), grid, cv=3, n_jobs=1).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert found.best_params_ == alone.best_params_ and found.best_score_ > 0.9
    print(found.best_params_, found.best_score_)


def intel(model):
    """Intel's runtime is all that there is, and is found without a setting, of which nothing is left."""
    before = dict(os.environ)
    assert "OCL_ICD_VENDORS" not in before
    devices = dunlin.devices()
    assert len(devices) == 1 and "Intel" in devices[0]["platform"], devices
    found = dunlin.check(quick=True)
    assert len(found) == 1, found
    clf = estimator(model).fit(TEXTS, LABELS)  # with the self-test
    assert clf.score(TEXTS, LABELS) > 0.9
    assert dict(os.environ) == before
    maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
    loaded = {line.split()[-1] for line in maps if "libOpenCL.so" in line}
    bundled = [path for path in loaded if path.startswith(str(pathlib.Path(dunlin.__file__).parent))]
    assert bool(bundled) == bool(os.environ.get("NO_LOADER")), loaded
    print(devices[0]["device"], *loaded)


if __name__ == "__main__":
    {"search": search, "intel": intel}[sys.argv[1]](sys.argv[2])
