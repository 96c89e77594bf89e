"""Texts, labels and weights from Python: looked at one by one, then handed to the library."""

from __future__ import annotations

import ctypes
from collections.abc import Sized
from typing import Any

import numpy as np

from . import _library

LONGEST_LABEL = 255  # bytes


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas.NA, which is none of these and equals nothing."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA has no truth; an array has many
        return type(value).__name__ == "NAType"


def _as_list(values: Any, name: str) -> list:
    """A sequence as a list. Strings, mappings, scalars and what has several dimensions are none."""
    if isinstance(values, (str, bytes, bytearray)):
        raise ValueError(f"{name} is a single {type(values).__name__}; a list of them is needed")
    if isinstance(values, (dict, set, frozenset)):
        raise ValueError(f"{name} is a {type(values).__name__}, which has no order; a list is needed")
    shape = getattr(values, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ValueError(f"{name} has the shape {tuple(shape)}; one dimension is needed, such as a column")
    try:
        return values.tolist() if isinstance(values, np.ndarray) else list(values)
    except TypeError:
        raise ValueError(f"{name} is a {type(values).__name__}; a list is needed") from None


def encode(texts: Any, name: str = "X") -> list[bytes]:
    """Texts as UTF-8. ValueError, with the index of the first that is none."""
    encoded = []
    values = _as_list(texts, name)
    if not values:
        raise ValueError(f"{name} is empty; at least one text is needed")
    for i, text in enumerate(values):
        if not isinstance(text, str):
            what = "missing" if _is_missing(text) else f"a {type(text).__name__}"
            raise ValueError(f"{name}[{i}] is {what} ({text!r:.60}); every text must be a str")
        if "\0" in text:
            raise ValueError(f"{name}[{i}] has a zero character inside")
        try:
            encoded.append(text.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise ValueError(f"{name}[{i}] has half a surrogate pair at {error.start}, which is no text") from None
    return encoded


def same_length(values: Sized, n: int, name: str, of: str) -> None:
    """ValueError where two sequences that belong together differ in length."""
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} entries, {of} has {n}")


def classes_of(labels: Any, name: str = "y") -> tuple[np.ndarray, np.ndarray]:
    """The different labels, sorted, and the number of each label's class.

    Returns
    -------
    classes : ndarray of shape (K,)
    numbers : ndarray of shape (n,)
    """
    if getattr(labels, "ndim", 1) == 2 and labels.shape[1] == 1:
        labels = np.asarray(labels).ravel()
    values = [v.item() if isinstance(v, np.generic) else v for v in _as_list(labels, name)]
    for i, value in enumerate(values):
        if _is_missing(value):
            raise ValueError(f"{name}[{i}] is missing ({value!r})")
    try:
        different = sorted(set(values))
    except TypeError as error:
        raise ValueError(f"the labels of {name} cannot be sorted: {error}") from None
    place = {value: k for k, value in enumerate(different)}
    numbers = np.fromiter((place[value] for value in values), dtype=np.intp, count=len(values))
    return array_of(different, getattr(labels, "dtype", None)), numbers


def array_of(values: list, dtype: Any = None) -> np.ndarray:
    """Labels as an array of one dimension, of the caller's dtype or NumPy's own, else of objects."""
    plain = {type(value) for value in values}
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return np.array(values, dtype=dtype)
    if plain in ({str}, {int}, {float}, {bool}, {int, float}) and not isinstance(dtype, np.dtype):
        array = np.array(values)
        if array.ndim == 1 and array.tolist() == values:  # not integers that became floats or objects
            return array
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _plain(name: str) -> Any:
    """What the library takes as one label: blanks around it do not count, numbers go by value, booleans by meaning."""
    name = name.strip()
    if name.lower() in ("true", "false"):
        return name.lower()
    try:
        return float(name)
    except ValueError:
        return name


def class_names(classes: np.ndarray) -> list[str]:
    """A name of each class for the library: the label itself as text where these stay apart, else its number."""
    names = [str(label) for label in classes.tolist()]
    usable = all(
        name.strip()
        and name.isprintable()
        and len(name.encode("utf-8", "replace")) <= LONGEST_LABEL
        and "\0" not in name
        for name in names
    )
    if usable and len({_plain(name) for name in names}) == len(names):
        return names
    return [f"class {k:0{len(str(len(names)))}d}" for k in range(len(names))]


def columns_of(names: list[str], found: list[str]) -> np.ndarray | None:
    """For each class the library's number of it, from the names of both; None where they are not the same."""
    place = {_plain(name): k for k, name in enumerate(found)}
    try:
        return np.array([place[_plain(name)] for name in names], dtype=np.intp)
    except KeyError:
        return None


def weights_of(weights: Any, n: int, name: str = "sample_weight") -> np.ndarray | None:
    """Weights as float64, (n,). ValueError, with the index of the first that is negative or not finite."""
    if weights is None:
        return None
    try:
        array = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} has what is no number: {error}") from None
    if array.ndim == 0:
        array = np.full(n, float(array))
    if array.ndim != 1:
        raise ValueError(f"{name} has the shape {array.shape}; one dimension is needed")
    same_length(array, n, name, "X")
    wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if wrong.size:
        raise ValueError(f"{name}[{wrong[0]}] is {array[wrong[0]]}; weights must be finite and not negative")
    if not array.any():
        raise ValueError(f"{name} is 0 for every text")
    return np.ascontiguousarray(array)


class Texts:
    """Texts that the library has copied. With labels, `numbers` of classes that have these `names`."""

    def __init__(
        self,
        encoded: list[bytes],
        numbers: np.ndarray | None = None,
        names: list[str] | None = None,
        weights: np.ndarray | None = None,
    ) -> None:
        n = len(encoded)
        texts = (ctypes.c_char_p * n)(*encoded)
        lengths = (ctypes.c_size_t * n)(*map(len, encoded))
        labels = None
        if numbers is not None and names is not None:
            words = [name.encode("utf-8") for name in names]
            labels = (ctypes.c_char_p * n)(*(words[k] for k in numbers))
        self.pointer = _library.new(
            "dunlin_texts_new", n, texts, lengths, labels, None if weights is None else weights.ctypes.data
        )

    @classmethod
    def of(cls, pointer: ctypes.c_void_p) -> Texts:
        """Takes over texts that the library has made."""
        self = cls.__new__(cls)
        self.pointer = pointer
        return self

    def __enter__(self) -> Texts:
        return self

    def __exit__(self, *_exception: Any) -> None:
        _library.free("dunlin_texts_free", self.pointer)
