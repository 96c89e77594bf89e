"""scikit-learn's contract: its own checks where they do not bring numbers for X, and its helpers around an estimator."""

import dunlin
import numpy as np
import pytest
from conftest import estimator, some_texts
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.validation import check_is_fitted

# The others call fit with arrays of numbers, which a classifier of texts refuses.
CHECKS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_requires_y_none",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("name", CHECKS)
def test_scikit_learns_checks(name):
    getattr(estimator_checks, name)("PromptClassifier", dunlin.PromptClassifier())


def test_it_is_a_classifier_of_texts():
    assert is_classifier(estimator())
    tags = get_tags(estimator())
    assert tags.input_tags.string and not tags.input_tags.two_d_array and tags.target_tags.required


def test_not_fitted(texts, labels, tmp_path):
    clf = estimator()
    for use in (clf.predict, clf.predict_proba, clf.transform, clf.distances):
        with pytest.raises(NotFittedError, match="this PromptClassifier is not fitted yet"):
            use(texts)
    for use in (lambda: clf.score(texts, labels), lambda: clf.save(tmp_path / "x"), lambda: clf.history_):
        with pytest.raises(NotFittedError):
            use()
    with pytest.raises(NotFittedError):
        check_is_fitted(clf)
    check_is_fitted(clf.fit(texts, labels))


def test_parameters(fitted):
    clf = estimator(epochs=7)
    other = clone(clf)
    assert other.get_params() == clf.get_params() and other is not clf and other.options is not clf.options
    assert clf.set_params(epochs=3, lr=1e-3) is clf and (clf.epochs, clf.lr) == (3, 1e-3)
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        clf.set_params(epoch=3)
    assert not hasattr(clone(fitted), "classes_")
    assert repr(dunlin.PromptClassifier(epochs=9)) == "PromptClassifier(epochs=9)"


def test_pipeline(texts, labels):
    lower = FunctionTransformer(lambda X: [x.lower() for x in X])
    pipe = make_pipeline(lower, estimator()).fit([t.upper() for t in texts], labels)
    assert pipe.score([t.upper() for t in texts], labels) > 0.9
    weights = np.ones(len(texts))
    pipe.fit(texts, labels, promptclassifier__sample_weight=weights)
    assert pipe.predict_proba(texts).shape == (len(texts), 2)
    assert "PromptClassifier" in pipe._repr_html_()


def test_points_are_features_for_any_model(texts, labels):
    pipe = make_pipeline(estimator(), LogisticRegression()).fit(texts, labels)
    assert pipe.score(texts, labels) > 0.9
    assert pipe[:-1].get_feature_names_out()[1] == "point1"


def test_cross_validation():
    texts, labels = some_texts(8)
    scores = cross_val_score(estimator(), texts, labels, cv=2)
    assert scores.shape == (2,) and scores.min() > 0.8
    assert (cross_val_score(estimator(), np.array(texts), np.array(labels), cv=2, n_jobs=1) == scores).all()
