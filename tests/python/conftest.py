"""What the tests of the Python package share: a tiny model, texts that it can tell apart, the program of the build."""

import json
import os
import pathlib
import subprocess

import dunlin
import pytest

FIXTURES = pathlib.Path(os.environ["DUNLIN_FIXTURES"])
PROGRAM = os.environ["DUNLIN_BUILT"]
DEVICE = os.environ.get("DUNLIN_TEST_DEVICE", "cpu")
MODEL = FIXTURES / "tiny-a.gguf"
# As tests/lib.sh has them: a training that is little but its steps.
OPTIONS = {"device.check": "no", "prompt.init": "random", "prompt.tokens": 3, "train.batch_size": 5, "train.probe": "no",
           "output.report": "no"}  # fmt: skip


def some_texts(n=6):
    """n texts of each of two classes, by turns, and their labels."""
    texts = [word for i in range(1, n + 1) for word in (f"aa ab ba {i}", f"zz zy yz {i}")]
    return texts, ["low", "high"] * n


def estimator(**parameters):
    """One that is not fitted yet."""
    options = {**OPTIONS, **parameters.pop("options", {})}
    given = {"model": MODEL, "prompt": None, "epochs": 2, "lr": 0.02, "device": DEVICE, **parameters}
    return dunlin.PromptClassifier(options=options, **given)


@pytest.fixture(scope="session")
def texts():
    return some_texts()[0]


@pytest.fixture(scope="session")
def labels():
    return some_texts()[1]


@pytest.fixture(scope="session")
def fitted(texts, labels):
    return estimator().fit(texts, labels)


@pytest.fixture
def program(tmp_path):
    """Runs the program of the build in a folder of the test's own."""

    def run(*arguments, given=""):
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)], cwd=tmp_path, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"dunlin {arguments}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def config(tmp_path):
    """The same training as a config file, in a folder of the test's own."""
    texts, labels = some_texts()
    for name in ("data.tsv", "valid.tsv"):
        (tmp_path / name).write_text("".join(f"{t}\t{label}\n" for t, label in zip(texts, labels)))
    keys = {**OPTIONS, "model.path": MODEL, "device.use": DEVICE, "train.epochs": 2, "prompt.lr": 0.02,
            "data.train": tmp_path / "data.tsv", "data.valid": tmp_path / "valid.tsv"}  # fmt: skip
    sections: dict = {}
    for key, value in keys.items():
        section, name = key.split(".")
        sections.setdefault(section, []).append(f"{name} = {value}\n")
    path = tmp_path / "tiny.ini"
    path.write_text("".join(f"[{section}]\n{''.join(lines)}" for section, lines in sections.items()))
    return path


def history_of(folder):
    """The steps that a run directory tells of."""
    return [json.loads(line) for line in (pathlib.Path(folder) / "history.jsonl").read_text().splitlines()]
