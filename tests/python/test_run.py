"""dunlin.train and its Run, and what needs no training: devices, check, models, embed."""

import json
import pathlib

import dunlin
import numpy as np
import pytest
from conftest import DEVICE, MODEL, history_of


def test_train(config, tmp_path, texts):
    run = dunlin.train(config, set={"train.epochs": 1}, out=tmp_path / "run")
    assert run.path == tmp_path / "run" and run.history == history_of(run.path)
    assert run.metrics["steps"] == len(run.history) == 3
    assert run.classes == ["high", "low"] and run.report_path is None
    again = dunlin.Run(run.path, device=DEVICE)
    assert again.history == run.history and again.metrics == run.metrics
    assert run.classify(texts) == run.classifier().predict(texts).tolist()
    with pytest.raises(dunlin.DunlinError):
        dunlin.train(config, out=run.path)


def test_the_notebook_view(config, tmp_path):
    run = dunlin.train(config, set={"output.report": True, "experiment.name": "a <b>"}, out=tmp_path / "<i>")
    assert run.report_path == tmp_path / "<i>" / "report.html" and "</html>" in run.report_path.read_text()
    view = run._repr_html_()
    assert "&lt;i&gt;" in view and "<i>" not in view and "<polyline" in view and "high, low" in view
    assert repr(run).startswith("<dunlin.Run ") and f"{len(run.history)} steps" in repr(run)


def test_where_a_run_goes(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert dunlin.train(config, set={"train.epochs": 1}).path == pathlib.Path("runs/tiny")
    assert dunlin.train(config, set={"train.epochs": 1, "output.dir": "there"}).path == pathlib.Path("there")


def test_training_without_validation_texts(config, tmp_path):
    run = dunlin.train(config, set={"data.valid": None, "train.epochs": 1}, out=tmp_path / "run")
    assert len(run.history) == 3 and not any("valid_accuracy" in step for step in run.history)


def test_what_is_wrong_with_a_config(config, tmp_path):
    with pytest.raises(dunlin.ConfigError, match="nowhere.ini"):
        dunlin.train(tmp_path / "nowhere.ini")
    with pytest.raises(dunlin.ConfigError, match="train.epochs"):
        dunlin.train(config, set={"train.epoch": 3})
    (tmp_path / "data.tsv").write_text("no label\n")
    with pytest.raises(dunlin.InputError, match="data.tsv:1"):
        dunlin.train(config, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_devices(program):
    assert [d["device"] for d in dunlin.devices()] == [d["device"] for d in json.loads(program("devices", "--json"))]


def test_models(tmp_path, monkeypatch):
    monkeypatch.setenv("DUNLIN_MODELS", str(MODEL.parent))
    assert any(pathlib.Path(m["path"]).name == MODEL.name for m in dunlin.models())


def test_check_is_stopped_by_what_its_callback_raises():
    """All of it takes as long as all of these tests: tools/test-python has that."""

    def fail(progress):
        assert progress.phase == "check", progress
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        dunlin.check(DEVICE, quick=True, callback=fail)
    with pytest.raises(dunlin.DeviceError, match="no such"):
        dunlin.check("no such")


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_embed(program, tmp_path, texts, pool):
    rows = dunlin.embed(texts, MODEL, pool, device=DEVICE)
    assert rows.dtype == np.float32 and rows.shape[0] == len(texts)
    np.testing.assert_array_equal(dunlin.embed(texts[3:5], MODEL, pool, device=DEVICE), rows[3:5])
    (tmp_path / "texts.txt").write_text("".join(f"{t}\n" for t in texts))
    program("embed", MODEL, "texts.txt", "--pool", pool, "--out", "x.npy", "--device", DEVICE)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), rows)


def test_what_is_wrong_with_embed(texts):
    with pytest.raises(ValueError, match="pool is 'max'"):
        dunlin.embed(texts, MODEL, "max")
    with pytest.raises(ValueError, match=r"texts\[1\] is missing"):
        dunlin.embed(["a", None], MODEL)
    with pytest.raises(dunlin.DunlinError, match="nowhere.gguf"):
        dunlin.embed(texts, "nowhere.gguf")
