"""A trained run of the library: its handle, or the bytes that it is made of again where it is first needed."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Sequence
from ctypes import byref
from typing import Any, Callable

import numpy as np

from . import _library
from ._config import Config
from ._progress import Callback, Watch
from ._texts import Texts

# Texts that are given to the library at a time: Ctrl-C is heard between two calls.
AT_A_TIME = 4096


class Trained:
    """Owns a ``dunlin_run``. Threads that share it wait for each other; in another process it is made of bytes."""

    def __init__(self, pointer: ctypes.c_void_p | None, packed: bytes | None = None, device: str | None = None) -> None:
        self._packed = packed
        self._device = device
        self._lock = threading.Lock()
        self._pointer: ctypes.c_void_p | None = None
        if pointer is not None:
            self._own(pointer)

    def _own(self, pointer: ctypes.c_void_p) -> None:
        self._pointer = pointer
        # Also at the end of the process, while the driver still lives.
        weakref.finalize(self, _library.free, "dunlin_free", pointer)

    @classmethod
    def train(
        cls,
        config: Config,
        training: Texts,
        validation: Texts | None,
        directory: Any = None,
        callback: Callback | None = None,
    ) -> Trained:
        """Trains, or raises and leaves nothing."""
        return cls._watched(
            callback,
            "dunlin_train",
            config.pointer,
            training.pointer,
            None if validation is None else validation.pointer,
            None if directory is None else _library.path_bytes(directory),
        )

    @classmethod
    def resume(cls, directory: Any, device: str | None = None, callback: Callback | None = None) -> Trained:
        """Goes on with the training of a directory."""
        return cls._watched(
            callback, "dunlin_resume", _library.path_bytes(directory), _library.optional(device), None, None
        )

    @classmethod
    def _watched(cls, callback: Callback | None, name: str, *arguments: Any) -> Trained:
        pointer = ctypes.c_void_p()
        try:
            Watch(callback).call(name, byref(pointer), *arguments)
        except BaseException:
            if pointer:
                _library.free("dunlin_free", pointer)
            raise
        return cls(pointer)

    @classmethod
    def open(cls, directory: Any, device: str | None = None) -> Trained:
        """Opens the directory of a finished run."""
        return cls(_library.new("dunlin_open", _library.path_bytes(directory), _library.optional(device)))

    def _opened(self) -> ctypes.c_void_p:
        if self._pointer is None:
            assert self._packed is not None
            self._own(
                _library.new("dunlin_from_bytes", self._packed, len(self._packed), _library.optional(self._device))
            )
            self._packed = None
        assert self._pointer is not None
        return self._pointer

    def __getstate__(self) -> dict:
        with self._lock:
            packed = self._packed
            if packed is None:
                packed = _library.bytes_of("dunlin_to_bytes", self._opened())
        return {"packed": packed, "device": self._device}

    def __setstate__(self, state: dict) -> None:
        self.__init__(None, state["packed"], state["device"])  # type: ignore[misc]

    def sizes(self) -> tuple[int, int]:
        """Classes and width of a point."""
        n_classes, width = ctypes.c_size_t(), ctypes.c_size_t()
        with self._lock:
            _library.call("dunlin_sizes", self._opened(), byref(n_classes), byref(width))
        return n_classes.value, width.value

    def class_names(self) -> list[str]:
        """In the library's order."""
        n_classes, _ = self.sizes()
        names, name = [], ctypes.c_char_p()
        with self._lock:
            for k in range(n_classes):
                _library.call("dunlin_class_name", self._opened(), k, byref(name))
                names.append((name.value or b"").decode("utf-8", "replace"))
        return names

    def info(self) -> dict:
        """What the library knows of the run."""
        with self._lock:
            return _library.json_of("dunlin_info", self._opened())

    def history(self) -> list[dict]:
        """The steps of its training."""
        with self._lock:
            return _library.json_of("dunlin_history", self._opened())

    def save(self, directory: Any) -> None:
        """Writes a new run directory."""
        with self._lock:
            _library.call("dunlin_save", self._opened(), _library.path_bytes(directory))

    def _by_parts(self, encoded: Sequence[bytes], ask: Callable[[ctypes.c_void_p, Texts, int], None]) -> None:
        for at in range(0, len(encoded), AT_A_TIME):
            with Texts(list(encoded[at : at + AT_A_TIME])) as texts, self._lock:
                ask(self._opened(), texts, at)

    def labels(self, encoded: Sequence[bytes]) -> np.ndarray:
        """The library's number of each text's class, uint32, (n,)."""
        out = np.empty(len(encoded), dtype=np.uint32)
        self._by_parts(
            encoded,
            lambda run, texts, at: _library.call(
                "dunlin_classify", run, texts.pointer, None, None, out[at:].ctypes.data
            ),
        )
        return out

    def probabilities(self, encoded: Sequence[bytes]) -> np.ndarray:
        """float64, (n, K), columns in the library's order."""
        out = np.empty((len(encoded), self.sizes()[0]), dtype=np.float64)
        self._by_parts(
            encoded,
            lambda run, texts, at: _library.call(
                "dunlin_classify", run, texts.pointer, None, out[at:].ctypes.data, None
            ),
        )
        return out

    def distances(self, encoded: Sequence[bytes]) -> np.ndarray:
        """float32, (n, K), columns in the library's order."""
        out = np.empty((len(encoded), self.sizes()[0]), dtype=np.float32)
        self._by_parts(
            encoded,
            lambda run, texts, at: _library.call(
                "dunlin_classify", run, texts.pointer, out[at:].ctypes.data, None, None
            ),
        )
        return out

    def points(self, encoded: Sequence[bytes]) -> np.ndarray:
        """float32, (n, D)."""
        out = np.empty((len(encoded), self.sizes()[1]), dtype=np.float32)
        self._by_parts(
            encoded,
            lambda run, texts, at: _library.call("dunlin_points", run, texts.pointer, out[at:].ctypes.data),
        )
        return out
