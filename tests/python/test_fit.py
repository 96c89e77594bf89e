"""Training and using an estimator: the program's bits, weights, labels, progress, Ctrl-C, keeping it."""

import copy
import json
import math
import os
import pickle
import signal
import sys
import threading
import time
import types

import dunlin
import numpy as np
import pytest
from conftest import DEVICE, MODEL, estimator, history_of


def test_the_program_computes_the_same_bits(config, program, texts, labels, tmp_path):
    program("train", config, "--out", "by-program", "--quiet")
    clf = estimator().fit(texts, labels, validation=(texts, labels))
    assert clf.history_ == history_of(tmp_path / "by-program")
    run = dunlin.train(config, out=tmp_path / "by-package")
    for name in ("prompt.safetensors", "history.jsonl", "predictions.tsv"):
        assert (tmp_path / "by-program" / name).read_bytes() == (tmp_path / "by-package" / name).read_bytes(), name
    clf.save(tmp_path / "saved")
    given = ["aa", "zz zz", "", "ba 7", "é ü 漢字", "zz zy aa"]
    lines = "".join(f"{t}\n" for t in given)
    answers = program("classify", "by-program", "--json", given=lines)
    assert answers == program("classify", "saved", "--json", given=lines)
    assert answers == program("classify", run.path, "--json", given=lines)
    told = [json.loads(line) for line in answers.splitlines()]
    assert [t["label"] for t in told] == clf.predict(given).tolist()
    distances = [[t["distances"][c] for c in clf.classes_] for t in told]
    np.testing.assert_array_equal(np.float32(distances), clf.distances(given))
    confidence = clf.predict_proba(given).max(axis=1)
    assert [t["confidence"] for t in told] == [float(f"{c:.9g}") for c in confidence]
    program("points", "by-program", "--out", "p.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "p.npz")["points"], clf.transform(texts))


def test_shapes_and_sums(fitted, texts, labels):
    n = len(texts)
    assert fitted.predict(texts).shape == (n,) and fitted.classes_.tolist() == ["high", "low"]
    p, d = fitted.predict_proba(texts), fitted.distances(texts)
    assert p.shape == d.shape == (n, 2) and p.dtype == np.float64 and d.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (fitted.classes_[p.argmax(axis=1)] == fitted.predict(texts)).all()
    points = fitted.transform(texts)
    assert points.shape == (n, len(fitted.get_feature_names_out())) and points.dtype == np.float32
    assert fitted.score(texts, labels) == np.mean(fitted.predict(texts) == labels)
    assert fitted.score(texts, labels) > 0.9
    weights = np.arange(n)
    expected = np.average(fitted.predict(texts) == np.array(labels), weights=weights)
    assert math.isclose(fitted.score(texts, labels, weights), expected)
    assert fitted.info_["n_classes"] == 2 and os.path.samefile(fitted.info_["model"]["path"], MODEL)


def test_texts_do_not_depend_on_those_beside_them(fitted, monkeypatch):
    from dunlin import _trained

    many = [f"aa {i} zz" for i in range(50)]
    whole = fitted.distances(many)
    monkeypatch.setattr(_trained, "AT_A_TIME", 7)
    np.testing.assert_array_equal(fitted.distances(many), whole)
    np.testing.assert_array_equal(fitted.distances(many[20:30]), whole[20:30])


@pytest.mark.parametrize(
    "names", [(7, 10), (True, False), ("2", "10"), ((1, "a"), (0, "b")), ("", "x"), (2.5, -1.0)], ids=str
)
def test_labels_of_any_type(names, texts, labels, fitted):
    named = [names[0] if label == "low" else names[1] for label in labels]
    clf = estimator().fit(texts, named)
    assert clf.classes_.tolist() == sorted(names)
    found = clf.predict(texts).tolist()
    assert np.mean([f == n for f, n in zip(found, named)]) > 0.9 and {type(f) for f in found} == {type(names[0])}
    p = clf.predict_proba(texts)
    assert [clf.classes_.tolist()[k] for k in p.argmax(axis=1)] == found
    assert clf.score(texts, named) > 0.9


def test_weights_multiply_the_loss(texts, labels):
    plain = estimator().fit(texts, labels).history_
    assert estimator().fit(texts, labels, sample_weight=np.full(len(texts), 3.0)).history_ == plain
    weights = np.where(np.array(labels) == "low", 4.0, 1.0)
    weighted = estimator().fit(texts, labels, sample_weight=weights)
    assert weighted.history_ != plain
    assert estimator().fit(texts, labels, weights).history_ == weighted.history_


def test_the_seed_decides(texts, labels, fitted):
    assert estimator().fit(texts, labels).history_ == fitted.history_
    assert estimator(seed=2).fit(texts, labels).history_ != fitted.history_


def test_progress(texts, labels):
    told = []
    clf = estimator().fit(texts, labels, callback=told.append)
    assert told and {type(p) for p in told} == {dunlin.Progress}
    assert all(p.stage and p.seconds >= 0 for p in told)
    assert clf.predict(texts).shape == (len(texts),)


def test_a_bar_where_tqdm_is_installed(texts, labels, monkeypatch):
    made = []

    class Bar:
        def __init__(self, total, leave, file):
            made.append(self)
            self.closed, self.total, self.file = False, total, file

        def set_description(self, text, refresh):
            self.text = text

        def set_postfix(self, loss, refresh):
            self.loss = loss

        def refresh(self):
            assert 0 <= self.n <= self.total and self.text

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    estimator().fit(texts, labels)
    assert not made  # stderr is no terminal
    monkeypatch.setattr(sys, "stderr", types.SimpleNamespace(isatty=lambda: True, write=print, flush=print))
    estimator().fit(texts, labels)
    assert made and all(bar.closed for bar in made)


def test_a_callback_stops_cleanly(texts, labels):
    clf = estimator(epochs=2000).fit(texts, labels, callback=lambda p: p.phase == "train" and p.step > 0)
    assert clf.info_["stopped"] is True and 0 < len(clf.history_) < 6000
    assert clf.predict(texts).shape == (len(texts),)


def test_what_a_callback_raises_comes_out_of_fit(texts, labels):
    clf = estimator().fit(texts, labels)

    def fail(_progress):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        clf.fit(texts, labels, callback=fail)
    with pytest.raises(ValueError, match="not fitted"):
        clf.predict(texts)
    with pytest.raises(TypeError, match="callback is a int"):
        clf.fit(texts, labels, callback=3)
    assert clf.fit(texts, labels).score(texts, labels) > 0.9


@pytest.mark.parametrize("repeated", [False, True])
def test_ctrl_c_stops_at_the_next_step(texts, labels, repeated):
    clf = estimator(epochs=1000000)
    began = threading.Event()

    def interrupt():
        began.wait(60)
        for _ in range(5 if repeated else 1):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    thread = threading.Thread(target=interrupt)
    thread.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        try:
            clf.fit(texts, labels, callback=lambda p: began.set() if p.phase == "train" else None)
        finally:
            thread.join()
    assert time.monotonic() - started < 60
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not hasattr(clf, "classes_")
    with pytest.raises(ValueError, match="not fitted"):
        clf.predict(texts)
    assert estimator().fit(texts, labels).score(texts, labels) > 0.9


def test_pickle_and_copy(fitted, texts):
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert pickle.dumps(other) == pickle.dumps(fitted)  # before it is opened
        np.testing.assert_array_equal(other.distances(texts), fitted.distances(texts))
        assert other.classes_.tolist() == fitted.classes_.tolist() and other.get_params() == fitted.get_params()
        assert pickle.dumps(other) == pickle.dumps(fitted)
    unfitted = pickle.loads(pickle.dumps(estimator()))
    assert unfitted.get_params() == estimator().get_params()


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_damaged_pickles_are_refused(fitted, texts, cut):
    state = fitted._trained.__getstate__()
    other = copy.deepcopy(fitted)
    other._trained.__setstate__({**state, "packed": state["packed"][:cut]})
    with pytest.raises(dunlin.InputError):
        other.predict(texts)


def test_save_and_load(texts, labels, tmp_path):
    numbers = [10 if label == "low" else 9 for label in labels]
    clf = estimator(options={"loss.temperature": 2.0, "output.calibrate": True, "output.report": False})
    clf.fit(texts, numbers)
    clf.save(tmp_path / "run")
    other = dunlin.PromptClassifier.load(tmp_path / "run", device=DEVICE)
    assert other.classes_.tolist() == [9, 10] and other.classes_.dtype == clf.classes_.dtype
    np.testing.assert_array_equal(other.predict_proba(texts), clf.predict_proba(texts))
    with pytest.raises(dunlin.DunlinError, match="run"):
        clf.save(tmp_path / "run")
    again = dunlin.PromptClassifier(**other.get_params()).fit(texts, numbers)
    assert again.history_ == clf.history_, other.get_params()
    assert other.options["output.calibrate"] == "yes" and "output.report" not in other.options
    assert float(other.options["loss.temperature"]) == 2.0 and other.epochs == 2 and other.lr == 0.02
    (tmp_path / "run" / "classes.npy").write_bytes(b"nothing")
    with pytest.raises(dunlin.InputError, match="classes.npy is damaged"):
        dunlin.PromptClassifier.load(tmp_path / "run")
    np.save(tmp_path / "run" / "classes.npy", np.array(["x", "y"]))
    with pytest.raises(dunlin.InputError, match="not those of the labels"):
        dunlin.PromptClassifier.load(tmp_path / "run")


def test_labels_that_numpy_does_not_keep_are_saved_as_text(texts, labels, tmp_path):
    clf = estimator().fit(texts, [(1, label) for label in labels])
    with pytest.warns(UserWarning, match="tuple are saved as text"):
        clf.save(tmp_path / "run")
    assert dunlin.PromptClassifier.load(tmp_path / "run").classes_.tolist() == ["(1, 'high')", "(1, 'low')"]


@pytest.mark.parametrize(
    "parameters, error, said",
    [
        ({"model": None}, dunlin.ConfigError, "model is not set"),
        ({"model": "nowhere.gguf"}, dunlin.DunlinError, "nowhere.gguf"),
        ({"epochs": "many"}, dunlin.ConfigError, "train.epochs"),
        ({"device": "no such device"}, dunlin.DeviceError, "no such device"),
        ({"options": {"train.epoch": 3}}, dunlin.ConfigError, "train.epochs"),
        ({"options": {"train.epochs": [3]}}, TypeError, "train.epochs is a list"),
        ({"options": {3: 3}}, TypeError, "key 3"),
        ({"prompt": "a\0b"}, ValueError, "zero character"),
    ],
)
def test_parameters_that_are_refused(parameters, error, said, texts, labels):
    with pytest.raises(error, match=said):
        estimator(**parameters).fit(texts, labels)


def test_validation_is_measured(texts, labels):
    clf = estimator().fit(texts, labels, validation=(texts[:4], labels[:4]))
    assert any("valid_accuracy" in step for step in clf.history_)
    assert not any("valid_accuracy" in step for step in estimator().fit(texts, labels).history_)
    with pytest.raises(ValueError, match=r"validation\[1\]\[1\], 'other', is not among"):
        estimator().fit(texts, labels, validation=(["a", "b"], ["low", "other"]))
