"""A config of the library: keys "section.key" and their values as Python has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _library


def as_text(key: str, value: Any) -> str:
    """A value as a config has it: yes and no, numbers that read back the same, "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a scalar of NumPy's
        return as_text(key, value.item())
    if isinstance(value, (int, float)):
        return repr(value)
    if hasattr(value, "__fspath__"):
        return str(value)
    raise TypeError(f"{key} is a {type(value).__name__} ({value!r:.60}); a str, number, bool, path or None is needed")


class Config:
    """A config with the default of every key, or read from a file; freed at the end of its ``with``."""

    def __init__(self, path: Any = None) -> None:
        self.pointer = _library.new("dunlin_config_new")
        if path is not None:
            try:
                _library.call("dunlin_config_read", self.pointer, _library.path_bytes(path))
            except BaseException:
                self.__exit__()
                raise

    def __enter__(self) -> Config:
        return self

    def __exit__(self, *_exception: Any) -> None:
        _library.free("dunlin_config_free", self.pointer)

    def set(self, values: Mapping[str, Any]) -> None:
        """Sets keys, one after another."""
        for key, value in values.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r:.60} of a config is a {type(key).__name__}; a str is needed")
            text = as_text(key, value)
            if "\0" in key or "\0" in text:
                raise ValueError(f"{key!r:.60} or its value has a zero character inside")
            _library.call("dunlin_config_set", self.pointer, key.encode("utf-8"), text.encode("utf-8"))

    def get(self, key: str) -> str:
        """A key's value as text."""
        return _library.text_of("dunlin_config_get", self.pointer, key.encode("utf-8"))
