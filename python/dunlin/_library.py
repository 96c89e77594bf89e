"""libdunlin by ctypes: found and loaded at the first use, its prototypes as a table, its statuses as exceptions."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import threading
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_double,
    c_int,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any

from . import _drivers
from ._errors import BY_STATUS, DunlinError
from ._version import __version__

FOLDER = Path(__file__).resolve().parent
# The wheel's; where the package came without one, as Debian's does, the system's.
LIBRARY = FOLDER / "lib" / "libdunlin.so.0"
if not LIBRARY.parent.is_dir():
    LIBRARY = Path(LIBRARY.name)


class Progress(Structure):
    """``dunlin_progress`` of the header."""

    _fields_ = [
        ("size", c_size_t),
        ("phase", c_char_p),
        ("stage", c_char_p),
        ("step", c_uint64),
        ("steps", c_uint64),
        ("loss", c_double),
        ("seconds", c_double),
    ]


PROGRESS = CFUNCTYPE(c_int, POINTER(Progress), c_void_p)
NO_PROGRESS = PROGRESS()
LOG = CFUNCTYPE(None, c_int, c_char_p, c_void_p)

_handle, _size, _flags = POINTER(c_void_p), POINTER(c_size_t), POINTER(c_uint32)
_floats, _doubles = c_void_p, c_void_p  # addresses of NumPy's arrays, or None
_text_out = [c_void_p, c_size_t, _size]
_hear = [PROGRESS, c_void_p]

# As in include/dunlin.h, in its order: result (None: nothing, Ellipsis: a status that is looked at), arguments.
PROTOTYPES: dict[str, tuple[Any, list]] = {
    "dunlin_version": (c_int, []),
    "dunlin_error": (c_char_p, []),
    "dunlin_status_name": (c_char_p, [c_int]),
    "dunlin_set_log": (..., [LOG, c_void_p]),
    "dunlin_devices": (..., _text_out),
    "dunlin_check": (..., [*_text_out, c_char_p, c_int, *_hear]),
    "dunlin_models": (..., _text_out),
    "dunlin_config_new": (..., [_handle]),
    "dunlin_config_read": (..., [c_void_p, c_char_p]),
    "dunlin_config_set": (..., [c_void_p, c_char_p, c_char_p]),
    "dunlin_config_get": (..., [c_void_p, c_char_p, *_text_out]),
    "dunlin_config_free": (None, [c_void_p]),
    "dunlin_texts_new": (..., [_handle, c_size_t, POINTER(c_char_p), _size, POINTER(c_char_p), _doubles]),
    "dunlin_texts_read": (..., [_handle, _handle, c_void_p]),
    "dunlin_texts_count": (..., [c_void_p, _size]),
    "dunlin_texts_free": (None, [c_void_p]),
    "dunlin_train": (..., [_handle, c_void_p, c_void_p, c_void_p, c_char_p, *_hear]),
    "dunlin_resume": (..., [_handle, c_char_p, c_char_p, c_void_p, c_void_p, *_hear]),
    "dunlin_open": (..., [_handle, c_char_p, c_char_p]),
    "dunlin_classify": (..., [c_void_p, c_void_p, _floats, _doubles, c_void_p]),
    "dunlin_points": (..., [c_void_p, c_void_p, _floats]),
    "dunlin_sizes": (..., [c_void_p, _size, _size]),
    "dunlin_class_name": (..., [c_void_p, c_size_t, POINTER(c_char_p)]),
    "dunlin_info": (..., [c_void_p, *_text_out]),
    "dunlin_history": (..., [c_void_p, *_text_out]),
    "dunlin_save": (..., [c_void_p, c_char_p]),
    "dunlin_to_bytes": (..., [c_void_p, *_text_out]),
    "dunlin_from_bytes": (..., [_handle, c_void_p, c_size_t, c_char_p]),
    "dunlin_free": (None, [c_void_p]),
    "dunlin_embed": (..., [c_char_p, c_char_p, c_void_p, c_int, _floats, c_size_t, _size, *_hear]),
}
# Those that may be the first to need OpenCL.
OPENS_DEVICE = {
    "dunlin_devices",
    "dunlin_check",
    "dunlin_train",
    "dunlin_resume",
    "dunlin_open",
    "dunlin_from_bytes",
    "dunlin_embed",
}

_lock = threading.Lock()
_library: ctypes.CDLL | None = None
_logger = logging.getLogger("dunlin")
_LEVELS = {1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}


@LOG
def _hear_log(level, text, _user):
    try:
        _logger.log(_LEVELS.get(level, logging.INFO), "%s", text.decode("utf-8", "replace"))
    except Exception:  # a handler of somebody's must not come out of C
        pass


def _load() -> ctypes.CDLL:
    global _library
    with _lock:
        if _library is None:
            try:
                library = ctypes.CDLL(str(LIBRARY))
            except OSError as error:
                raise DunlinError(f"libdunlin cannot be loaded: {error}") from None
            for name, (result, arguments) in PROTOTYPES.items():
                function = getattr(library, name)
                function.restype = c_int if result is ... else result
                function.argtypes = arguments
            number = library.dunlin_version()
            found = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
            if found != __version__.split("+")[0]:
                raise DunlinError(f"{LIBRARY} is version {found}, this package {__version__}; install it anew")
            library.dunlin_set_log(_hear_log, None)
            _library = library
    return _library


def error_of(status: int, library: ctypes.CDLL) -> DunlinError:
    """The exception of a status, with this thread's message."""
    message = library.dunlin_error().decode("utf-8", "replace")
    error = BY_STATUS.get(status, DunlinError)(message or library.dunlin_status_name(status).decode())
    error.status = status
    return error


def status_of(name: str, *arguments: Any) -> tuple[int, ctypes.CDLL]:
    """Calls a function and returns its status."""
    library = _load()
    function = getattr(library, name)
    if name in OPENS_DEVICE:
        with _drivers.first_load():
            return function(*arguments), library
    return function(*arguments), library


def call(name: str, *arguments: Any) -> None:
    """Calls a function; another status than 0 is raised."""
    status, library = status_of(name, *arguments)
    if status != 0:
        raise error_of(status, library)


def free(name: str, pointer: c_void_p) -> None:
    """Calls one of the functions that free."""
    getattr(_load(), name)(pointer)


def new(name: str, *arguments: Any) -> c_void_p:
    """Calls a function whose first argument is a handle that it makes."""
    handle = c_void_p()
    call(name, byref(handle), *arguments)
    return handle


def bytes_of(name: str, *before: Any) -> bytes:
    """What a function writes into a buffer of the caller's: asked for its size, then for itself."""
    needed = c_size_t()
    call(name, *before, None, 0, byref(needed))
    while True:
        buffer = ctypes.create_string_buffer(max(needed.value, 1))
        size = needed.value
        status, library = status_of(name, *before, buffer, size, byref(needed))
        if status == 0:
            return buffer.raw[: needed.value]
        if needed.value <= size:  # what is there grew meanwhile: once more
            raise error_of(status, library)


def text_of(name: str, *before: Any) -> str:
    """The same of text, which ends with a zero."""
    return bytes_of(name, *before)[:-1].decode("utf-8", "replace")


def json_of(name: str, *before: Any) -> Any:
    """The same of JSON."""
    return json.loads(text_of(name, *before))


def path_bytes(path: Any) -> bytes:
    """A path as the system has it."""
    return os.fsencode(path)


def optional(text: str | None) -> bytes | None:
    """A text that may be left out."""
    return None if text is None else str(text).encode("utf-8")
