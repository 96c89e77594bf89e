"""How long calls tell where they are, and how they are stopped: Ctrl-C, a callback of the caller's, a bar."""

from __future__ import annotations

import math
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any, Callable, Optional

from . import _library

GO_ON, STOP, STOP_NOW = 0, 1, 2


@dataclass(frozen=True)
class Progress:
    """Where a call is.

    Attributes
    ----------
    phase : str
        "load", "texts", "start", "train", "measure" or "check".
    stage : str
        The same for people, such as "epoch 2/3".
    step, steps : int
        Steps of the training done and to do, in other phases units of these; `steps` is 0 where it is not known.
    loss : float
        Of the last step; NaN before the first.
    seconds : float
        Since the call began.
    """

    phase: str
    stage: str
    step: int
    steps: int
    loss: float
    seconds: float


Callback = Callable[[Progress], Optional[Any]]


class _Bar:
    """A bar of tqdm, where that is installed and stderr is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._phase = ""
        self._make: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            try:
                from tqdm import tqdm

                self._make = tqdm
            except ImportError:
                pass

    def show(self, progress: Progress) -> None:
        if self._make is None or progress.steps == 0:
            return
        if self._phase != progress.phase or self._bar is None:
            self.close()
            self._phase = progress.phase
            self._bar = self._make(total=progress.steps, leave=False, file=sys.stderr)
        self._bar.set_description(progress.stage, refresh=False)
        if not math.isnan(progress.loss):
            self._bar.set_postfix(loss=f"{progress.loss:.4g}", refresh=False)
        self._bar.total = progress.steps
        self._bar.n = progress.step
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Watch:
    """What a call of the library is given as `progress`; to be entered around it.

    An exception of the caller's callback, and Ctrl-C, stop the call at its next step and come out of the ``with``.
    """

    def __init__(self, callback: Callback | None = None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"callback is a {type(callback).__name__}; a function is needed")
        self._callback = callback
        self._raised: BaseException | None = None
        self._before: Any = None
        self._bar = _Bar()
        self.function = _library.PROGRESS(self._hear)

    def _hear(self, progress: Any, _user: Any) -> int:
        try:
            if self._raised is not None:
                return STOP_NOW
            p = progress.contents
            told = Progress(p.phase.decode(), p.stage.decode("utf-8", "replace"), p.step, p.steps, p.loss, p.seconds)
            self._bar.show(told)
            if self._callback is not None and self._callback(told):
                return STOP
            return GO_ON if self._raised is None else STOP_NOW
        except BaseException as error:  # it goes on where the call ends
            self._raised = error
            return STOP_NOW

    def _on_signal(self, number: int, frame: Any) -> None:
        # Python would raise while C is calling us, where nobody could catch it: whatever it raises is kept instead.
        try:
            self._before(number, frame)
        except BaseException as error:
            self._raised = error

    def __enter__(self) -> Watch:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, kind: Any, error: Any, _traceback: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self._bar.close()
        if self._raised is not None:
            raise self._raised

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function whose last arguments are `progress` and `user`."""
        with self:
            status, library = _library.status_of(name, *arguments, self.function, None)
            error = _library.error_of(status, library) if status != 0 else None
        if error is not None:
            raise error
