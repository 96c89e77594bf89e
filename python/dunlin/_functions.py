"""What needs no estimator: devices, their test, models, and what a model makes of texts without a prompt."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterable
from ctypes import byref
from typing import Any

import numpy as np

from . import _library, _texts
from ._errors import DeviceError, DunlinError
from ._progress import Callback, Watch

CHECK_BYTES = 4 << 20  # 256 KiB a device: a full test must not be run twice
POOLS = {"last": 0, "mean": 1}


def devices() -> list[dict]:
    """The OpenCL devices of this computer, as ``dunlin devices --json`` tells them."""
    return _library.json_of("dunlin_devices")


def models() -> list[dict]:
    """The models on this computer, as ``dunlin models --json`` tells them."""
    return _library.json_of("dunlin_models")


def check(device: Any = None, quick: bool = False, callback: Callback | None = None) -> list[dict]:
    """Tests whether devices compute right, against double precision on the host.

    Parameters
    ----------
    device : str, int or None
        A device as ``dunlin devices`` numbers or names it, "all" too; None: the best.
    quick : bool, default=False
        A few cases of each test. All of them take half a minute and more.
    callback : function of a dunlin.Progress, optional

    Returns
    -------
    list of dict
        What was found, one a device.

    Raises
    ------
    DeviceError
        A device computes wrong; `results` has what was found.
    """
    buffer, needed = ctypes.create_string_buffer(CHECK_BYTES), ctypes.c_size_t()
    selector = _library.optional(None if device is None else str(device))
    try:
        Watch(callback).call("dunlin_check", buffer, CHECK_BYTES, byref(needed), selector, int(bool(quick)))
    except DeviceError as error:
        if needed.value > 1:
            error.results = json.loads(buffer.value)
        raise
    return json.loads(buffer.value)


def embed(
    texts: Iterable[str], model: Any, pool: str = "last", device: Any = None, callback: Callback | None = None
) -> np.ndarray:
    """What a model makes of texts without any prompt or training, as ``dunlin embed`` writes it.

    Parameters
    ----------
    texts : list of str, n of them
    model : str or path
        A model file, a folder, or a name of `models`.
    pool : {"last", "mean"}, default="last"
        The last row of a text's hidden state, or the mean of all its rows.
    device : str, int or None
        None: the best.
    callback : function of a dunlin.Progress, optional

    Returns
    -------
    ndarray of shape (n, C), float32
        C is the width of the model.
    """
    if pool not in POOLS:
        raise ValueError(f"pool is {pool!r}; it can be {' or '.join(map(repr, POOLS))}")
    encoded = _texts.encode(texts, "texts")
    path, selector = _library.path_bytes(model), _library.optional(None if device is None else str(device))
    width = ctypes.c_size_t()
    with _texts.Texts(encoded) as made:
        common = (path, selector, made.pointer, POOLS[pool])
        _library.call("dunlin_embed", *common, None, 0, byref(width), _library.NO_PROGRESS, None)
        out = np.empty((len(encoded), width.value), dtype=np.float32)
        Watch(callback).call("dunlin_embed", *common, out.ctypes.data, out.size, byref(width))
    if out.shape[1] != width.value:
        raise DunlinError(f"the model's width was {out.shape[1]} and became {width.value}")
    return out
