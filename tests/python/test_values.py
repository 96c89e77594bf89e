"""What is refused of texts, labels and weights, by index, before the library sees it; labels as the library has them."""

import datetime

import numpy as np
import pytest
from conftest import estimator
from dunlin import _texts


class NAType:  # as pandas has it
    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize(
    "wrong, said",
    [
        ("one text", "X is a single str"),
        (b"one text", "X is a single bytes"),
        ([], "X is empty"),
        (np.array([]), "X is empty"),
        (3, "X is a int; a list is needed"),
        ({"a": 1}, "X is a dict"),
        ({"a"}, "X is a set"),
        (np.array([["a"], ["b"]]), r"X has the shape \(2, 1\)"),
        (["a", None], r"X\[1\] is missing"),
        (["a", "b", float("nan")], r"X\[2\] is missing"),
        (["a", NAType()], r"X\[1\] is missing"),
        (["a", 3], r"X\[1\] is a int"),
        (["a", b"b"], r"X\[1\] is a bytes"),
        (["a", ["b"]], r"X\[1\] is a list"),
        (["a", "b\0c"], r"X\[1\] has a zero"),
        (["a", "b\ud800"], r"X\[1\] has half a surrogate pair at 1"),
    ],
)
def test_texts_that_are_refused(wrong, said, fitted):
    with pytest.raises(ValueError, match=said):
        estimator().fit(wrong, ["a", "b"])
    for method in (fitted.predict, fitted.predict_proba, fitted.transform, fitted.distances):
        with pytest.raises(ValueError, match=said):
            method(wrong)


@pytest.mark.parametrize(
    "wrong, said",
    [
        (None, "requires y to be passed"),
        (["a"], "y has 1 entries, X has 2"),
        (["a", "a"], "y has a single class, 'a'"),
        (["a", None], r"y\[1\] is missing"),
        ([1.0, float("nan")], r"y\[1\] is missing"),
        (["a", 1], "the labels of y cannot be sorted"),
        ("ab", "y is a single str"),
        (np.zeros((2, 2)), r"y has the shape \(2, 2\)"),
    ],
)
def test_labels_that_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        estimator().fit(["x", "y"], wrong)


@pytest.mark.parametrize(
    "weights, said",
    [
        ([1], "sample_weight has 1 entries, X has 2"),
        ([1, -1], r"sample_weight\[1\] is -1"),
        ([float("inf"), 1], r"sample_weight\[0\] is inf"),
        ([1, float("nan")], r"sample_weight\[1\] is nan"),
        ([0, 0], "sample_weight is 0 for every text"),
        ([[1], [1]], r"sample_weight has the shape \(2, 1\)"),
        (["x", "y"], "sample_weight has what is no number"),
    ],
)
def test_weights_that_are_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        estimator().fit(["x", "y"], ["a", "b"], sample_weight=weights)


DAYS = [datetime.date(2026, 1, 2), datetime.date(2025, 1, 1)]


@pytest.mark.parametrize(
    "given, classes, kind",
    [
        (["b", "a", "b"], ["a", "b"], "U"),
        ([10, 9, -1], [-1, 9, 10], "i"),
        ([1.5, 0.5], [0.5, 1.5], "f"),
        ([True, False], [False, True], "b"),
        (np.array([3, 1], dtype=np.int8), [1, 3], "i"),
        (np.array(["b", "a"], dtype=object), ["a", "b"], "O"),
        (np.array([["b"], ["a"]]), ["a", "b"], "U"),
        ([(2, "x"), (1, "y")], [(1, "y"), (2, "x")], "O"),
        (DAYS, DAYS[::-1], "O"),
        ([2**70, 1], [1, 2**70], "O"),
        ([np.int64(3), np.int64(2)], [2, 3], "i"),
        ([np.str_("b"), "a"], ["a", "b"], "U"),
        (np.array(["2026-01-02", "2025-01-01"], dtype="M8[D]"), DAYS[::-1], "M"),
    ],
)
def test_classes_are_sorted_and_keep_their_type(given, classes, kind):
    found, numbers = _texts.classes_of(given)
    assert found.tolist() == classes and found.dtype.kind == kind and found.shape == (len(classes),)
    flat = given.ravel().tolist() if isinstance(given, np.ndarray) else given
    assert [found.tolist()[k] for k in numbers] == flat
    if isinstance(given, np.ndarray):
        assert found.dtype == given.dtype


@pytest.mark.parametrize(
    "classes, names",
    [
        (["bad", "good"], ["bad", "good"]),
        ([-1, 9, 10], ["-1", "9", "10"]),
        ([False, True], ["False", "True"]),
        (["", "a"], ["class 0", "class 1"]),  # the library refuses an empty name,
        (["1", "1.0"], ["class 0", "class 1"]),  # takes equal numbers for one label,
        (["TRUE", "true"], ["class 0", "class 1"]),  # and truth in any case,
        ([" a", "a"], ["class 0", "class 1"]),  # leaves blanks out,
        (["a\tb", "c"], ["class 0", "class 1"]),  # and its tables are cut at tabs
        (["a" * 256, "b"], ["class 0", "class 1"]),
        ([f"\t{i:02}" for i in range(11)], [f"class {i:02}" for i in range(11)]),
    ],
)
def test_names_stay_apart(classes, names):
    assert _texts.class_names(_texts.array_of(classes)) == names


def test_columns_go_by_name():
    assert _texts.columns_of(["10", "9"], ["9.0", "10.0"]).tolist() == [1, 0]
    assert _texts.columns_of(["a"], ["b"]) is None
