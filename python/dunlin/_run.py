"""dunlin.train: a config file to a run directory, as the program does it, and what to look at in a notebook."""

from __future__ import annotations

import html
import math
import os
import subprocess
import warnings
from collections.abc import Iterable, Mapping
from ctypes import byref, c_void_p
from pathlib import Path
from typing import Any

from . import _library, _program
from ._classifier import PromptClassifier
from ._config import Config
from ._progress import Callback
from ._texts import Texts
from ._trained import Trained

WIDTH, HEIGHT = 420, 140  # of the curve, in pixels


class Run:
    """A run that `dunlin.train` made, or the directory of one.

    Parameters
    ----------
    path : str or path
        The directory of a finished run.
    device : str or int, optional
        To use instead of the run's.

    Attributes
    ----------
    path : pathlib.Path
        Its directory.
    history : list of dict
        The steps: "step", "epoch", "loss", "accuracy", "lr" and, where it was measured, "valid_accuracy" and
        "valid_loss";
        ``pandas.DataFrame(run.history)`` is a table of them.
    metrics : dict
        What metrics.json has.
    classes : list of str
        The names of the classes, in the order of the run.
    report_path : pathlib.Path or None
        The page about the run, where there is one (``output.report``).
    """

    def __init__(self, path: Any, device: Any = None) -> None:
        self._set(Trained.open(path, None if device is None else str(device)), path, device)

    def _set(self, trained: Trained, path: Any, device: Any) -> None:
        self._trained = trained
        self._device = device
        self.path = Path(os.fspath(path))
        self.history: list[dict] = trained.history()
        self.metrics: dict = trained.info()["metrics"] or {}
        self.classes: list[str] = trained.class_names()

    @property
    def report_path(self) -> Path | None:
        """See the attributes above."""
        page = self.path / "report.html"
        return page if page.exists() else None

    def classifier(self) -> PromptClassifier:
        """The run as a fitted estimator."""
        return PromptClassifier._of(self._trained, self.path, self._device)

    def classify(self, texts: Iterable[str]) -> list[str]:
        """The class of each text, by name."""
        return self.classifier().predict(texts).tolist()

    def __repr__(self) -> str:
        accuracy = self.metrics.get("accuracy")
        measured = f", accuracy {accuracy:.4f}" if isinstance(accuracy, (int, float)) else ""
        return f"<dunlin.Run {self.path}: {len(self.classes)} classes, {len(self.history)} steps{measured}>"

    def _repr_html_(self) -> str:
        rows = [("run", str(self.path)), ("classes", ", ".join(self.classes)), ("steps", str(len(self.history)))]
        for key, value in self.metrics.items():
            if isinstance(value, float):
                rows.append((key, f"{value:.4g}"))
            elif isinstance(value, (str, int)):
                rows.append((key, str(value)))
        if self.report_path is not None:
            rows.append(("report", str(self.report_path)))
        cells = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows)
        return f"<div><table>{cells}</table>{_curve([step.get('loss') for step in self.history])}</div>"


def _curve(values: list) -> str:
    """The loss of each step as SVG; nothing where there are fewer than two."""
    at = [(i, float(v)) for i, v in enumerate(values) if isinstance(v, (int, float)) and math.isfinite(v)]
    if len(at) < 2:
        return ""
    low, high = min(v for _, v in at), max(v for _, v in at)
    scale = (HEIGHT - 30) / ((high - low) or 1.0)
    line = " ".join(f"{i * WIDTH / (len(values) - 1):.1f},{10 + (high - v) * scale:.1f}" for i, v in at)
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        f'<text x="0" y="{HEIGHT - 4}" font-size="11" fill="currentColor">'
        f"loss of a step: {at[0][1]:.4g} to {at[-1][1]:.4g}, least {low:.4g}</text></svg>"
    )


def _write_page(directory: Path) -> None:
    """The page is the program's to write."""
    try:
        done = subprocess.run(
            [str(_program.PROGRAM), "report", str(directory)],
            env=_program.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stderr.strip() if done.returncode != 0 else ""
    except OSError as error:  # Debian's package only suggests the program
        said = f"the program {_program.PROGRAM} cannot be run: {error.strerror}"
    if said:
        warnings.warn(f"{directory} has no page: {said}", stacklevel=3)


def train(
    config: Any,
    set: Mapping[str, Any] | None = None,
    *,
    out: Any = None,
    device: Any = None,
    callback: Callback | None = None,
) -> Run:
    """Trains a config file, as ``dunlin train`` does, and leaves a run directory.

    Parameters
    ----------
    config : str or path
        A config file.
    set : dict, optional
        Keys over those of the file, ``{"train.epochs": 5}``.
    out : str or path, optional
        The run's directory: new, or an empty folder. Else the config's ``output.dir``, else ``runs/NAME``.
    device : str or int, optional
        A device, as ``dunlin devices`` numbers or names it, instead of the config's.
    callback : function of a dunlin.Progress, optional
        As in `PromptClassifier.fit`.

    Returns
    -------
    Run
    """
    with Config(config) as c:
        c.set(set or {})
        if device is not None:
            c.set({"device.use": device})
        name = c.get("experiment.name") or Path(os.fspath(config)).stem
        directory = Path(os.fspath(out) if out is not None else c.get("output.dir") or f"runs/{name}")
        training, validation = c_void_p(), c_void_p()
        _library.call("dunlin_texts_read", byref(training), byref(validation), c.pointer)
        with Texts.of(training) as texts, Texts.of(validation) as measured:
            trained = Trained.train(c, texts, measured if validation else None, directory, callback)
        wants_page = c.get("output.report") == "yes"
    if wants_page:
        _write_page(directory)
    run = Run.__new__(Run)
    run._set(trained, directory, device)
    return run
