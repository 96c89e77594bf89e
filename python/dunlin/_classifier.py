"""PromptClassifier: a scikit-learn estimator whose X is a list of texts."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import _texts
from ._config import Config
from ._errors import ConfigError, InputError, not_fitted
from ._progress import Callback
from ._trained import Trained

# The file beside a run's own that has the labels as Python has them.
LABELS_FILE = "classes.npy"
# The config's keys behind the parameters.
KEYS = {
    "model": "model.path",
    "prompt": "prompt.text",
    "epochs": "train.epochs",
    "lr": "prompt.lr",
    "device": "device.use",
    "seed": "experiment.seed",
}
# Of a run's config what is no option of an estimator: where its texts and files were.
NOT_OPTIONS = {"data.train", "data.valid", "data.format", "data.text_column", "data.label_column", "data.header",
               "data.bad_rows", "data.label_map", "data.limit_train", "data.limit_valid", "experiment.name",
               "device.shares"}  # fmt: skip


class PromptClassifier:
    """Sorts texts into classes by a soft prompt that is trained on a frozen language model.

    An estimator of scikit-learn's, which need not be installed: `Pipeline`, `cross_val_score`, `GridSearchCV`, `clone`
    and joblib work with it. `X` is a list, tuple, array or Series of `str` everywhere.

    Parameters
    ----------
    model : str or path, optional
        A model file (GGUF), a folder (Hugging Face), or a name of `dunlin.models`. Must be set before `fit`.
    prompt : str or None, default=" Overall this review sounds very"
        The words that the prompt's rows start as. They matter most: change them to what your labels are about. None
        leaves ``prompt.init`` and its neighbours to `options`.
    epochs : int, default=3
        Passes over the texts.
    lr : float, default=3e-2
        The learning rate of the prompt.
    device : str, int or None
        A device as ``dunlin devices`` numbers or names it; None: the best.
    seed : int, default=1
        Every random number depends on it alone.
    options : dict or None
        More keys of the config, ``{"train.schedule": "linear"}``; they are set last. ``dunlin help config`` lists them.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted; columns are in this order.
    history_ : list of dict
        The steps of the training: "step", "epoch", "loss", "accuracy", "lr", and what else was measured.
    info_ : dict
        What is known of the run: model, device, sizes, config, metrics.

    Examples
    --------
    >>> from dunlin import PromptClassifier
    >>> clf = PromptClassifier("SmolLM2-135M-Instruct.Q4_1.gguf", prompt=" Overall this review sounds very")
    >>> clf.fit(texts, labels).predict(["A delight from start to end."])     # doctest: +SKIP
    """

    _estimator_type = "classifier"  # scikit-learn before 1.6

    def __init__(
        self,
        model: Any = None,
        prompt: str | None = " Overall this review sounds very",
        epochs: int = 3,
        lr: float = 3e-2,
        device: Any = None,
        seed: int = 1,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.prompt = prompt
        self.epochs = epochs
        self.lr = lr
        self.device = device
        self.seed = seed
        self.options = options

    # ---------------------------------------------------------------- scikit-learn's contract

    @classmethod
    def _parameters(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name. `deep` changes nothing: none of them is an estimator."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **parameters: Any) -> PromptClassifier:
        """Sets parameters by name, and returns the estimator; ValueError for one that there is not."""
        known = self._parameters()
        for name in parameters:
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for estimator {self!r}. Valid parameters are: {known!r}.")
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_trained")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
        )

    def __repr__(self) -> str:
        defaults = {n: p.default for n, p in inspect.signature(type(self).__init__).parameters.items()}
        changed = (f"{name}={value!r}" for name, value in self.get_params().items() if value is not defaults[name])
        return f"{type(self).__name__}({', '.join(changed)})"

    # ---------------------------------------------------------------- training

    def _config(self) -> Config:
        if self.model is None:
            raise ConfigError("model is not set: a model file, a folder, or a name of dunlin.models()")
        config = Config()
        try:
            for name, key in KEYS.items():
                value = getattr(self, name)
                if value is not None:
                    config.set({key: value})
            config.set(self.options or {})
        except BaseException:
            config.__exit__()
            raise
        return config

    def fit(
        self,
        X: Iterable[str],
        y: Iterable[Any],
        sample_weight: Any = None,
        *,
        validation: tuple[Iterable[str], Iterable[Any]] | None = None,
        callback: Callback | None = None,
    ) -> PromptClassifier:
        """Trains on texts and their labels. What was fitted before is forgotten, also where this fails.

        Parameters
        ----------
        X : list of str, n of them
        y : labels, n of them, of any one type that can be sorted
        sample_weight : array-like of shape (n,), optional
            A text's loss is multiplied by its weight, and divided by the sum of all.
        validation : (texts, labels), optional
            Measured on during and after the training, into `history_` and ``info_["metrics"]``; without it nothing is
            measured and nothing is split off.
        callback : function of a dunlin.Progress, optional
            Called at most every 100 ms. What it raises comes out of `fit`; where it returns something true, the training
            ends at the next step with what there is.

        Returns
        -------
        PromptClassifier
            This one.
        """
        for name in ("_trained", "_columns", "classes_"):
            self.__dict__.pop(name, None)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        encoded = _texts.encode(X)
        classes, numbers = _texts.classes_of(y)
        _texts.same_length(numbers, len(encoded), "y", "X")
        if len(classes) < 2:
            raise ValueError(f"y has a single class, {classes.tolist()[0]!r}; classifiers need at least two")
        weights = _texts.weights_of(sample_weight, len(encoded))
        names = _texts.class_names(classes)
        measured = None if validation is None else self._validation(validation, classes)
        with self._config() as config, _texts.Texts(encoded, numbers, names, weights) as training:
            if measured is None:
                trained = Trained.train(config, training, None, None, callback)
            else:
                with _texts.Texts(measured[0], measured[1], names) as valid:
                    trained = Trained.train(config, training, valid, None, callback)
        self._take(trained, classes, _texts.columns_of(names, trained.class_names()))
        return self

    @staticmethod
    def _validation(validation: tuple, classes: np.ndarray) -> tuple[list[bytes], np.ndarray]:
        texts, labels = validation
        encoded = _texts.encode(texts, "validation[0]")
        found, numbers = _texts.classes_of(labels, "validation[1]")
        _texts.same_length(numbers, len(encoded), "validation[1]", "validation[0]")
        place = {label: k for k, label in enumerate(classes.tolist())}
        for i, number in enumerate(numbers):
            if found.tolist()[number] not in place:
                raise ValueError(f"validation[1][{i}], {found.tolist()[number]!r}, is not among the labels of y")
        known = np.array([place[label] for label in found.tolist()], dtype=np.intp)
        return encoded, known[numbers]

    def _take(self, trained: Trained, classes: np.ndarray, columns: np.ndarray | None) -> None:
        found = trained.class_names()
        if columns is None or len(columns) != len(found):
            raise InputError(f"the classes of the run are {found}, not those of the labels, {classes.tolist()}")
        self._trained, self._columns, self.classes_ = trained, columns, classes

    def _fitted(self) -> Trained:
        if not hasattr(self, "_trained"):
            raise not_fitted(type(self).__name__)
        return self._trained

    # ---------------------------------------------------------------- using it

    def predict(self, X: Iterable[str]) -> np.ndarray:
        """The nearest class of each text.

        Returns
        -------
        ndarray of shape (n,)
            Of the labels' dtype.
        """
        trained = self._fitted()
        place = np.empty_like(self._columns)
        place[self._columns] = np.arange(len(place))
        return self.classes_[place[trained.labels(_texts.encode(X))]]

    def predict_proba(self, X: Iterable[str]) -> np.ndarray:
        """The softmax of -distance / loss.temperature: it orders answers, and is no measured probability of being right.

        Of a run that was calibrated (``output.calibrate``) it is one, under the temperature that was fitted.

        Returns
        -------
        ndarray of shape (n, K), float64
        """
        trained = self._fitted()
        return trained.probabilities(_texts.encode(X))[:, self._columns]

    def distances(self, X: Iterable[str]) -> np.ndarray:
        """The distance of each text's point to each class's centroid, less what label words say (``loss.label_words``).

        Returns
        -------
        ndarray of shape (n, K), float32
        """
        trained = self._fitted()
        return trained.distances(_texts.encode(X))[:, self._columns]

    def transform(self, X: Iterable[str]) -> np.ndarray:
        """The texts' points under the trained prompt: features for any other model.

        Returns
        -------
        ndarray of shape (n, D), float32
        """
        trained = self._fitted()
        return trained.points(_texts.encode(X))

    def fit_transform(self, X: Iterable[str], y: Iterable[Any], **fit: Any) -> np.ndarray:
        """`fit`, then `transform` of the same texts: ndarray of shape (n, D), float32."""
        X = list(X) if not hasattr(X, "__len__") else X
        return self.fit(X, y, **fit).transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of `transform`: "point0", ..., ndarray of shape (D,)."""
        return np.array([f"point{d}" for d in range(self._fitted().sizes()[1])], dtype=object)

    def score(self, X: Iterable[str], y: Iterable[Any], sample_weight: Any = None) -> float:
        """The part of the texts whose class is the nearest: the accuracy, weighted where weights are given."""
        predicted = self.predict(X)
        wanted = _texts._as_list(y, "y")
        _texts.same_length(wanted, len(predicted), "y", "X")
        right = np.fromiter((p == w for p, w in zip(predicted.tolist(), wanted)), dtype=np.float64, count=len(wanted))
        return float(np.average(right, weights=_texts.weights_of(sample_weight, len(wanted))))

    @property
    def history_(self) -> list[dict]:
        """See the attributes above."""
        return self._fitted().history()

    @property
    def info_(self) -> dict:
        """See the attributes above."""
        return self._fitted().info()

    # ---------------------------------------------------------------- keeping it

    def save(self, directory: Any) -> None:
        """Writes a run directory, new or empty, that `load` and every command of ``dunlin`` take.

        Labels of types that NumPy keeps (numbers, strings, booleans, dates) come back as they are; others as text.
        """
        self._fitted().save(directory)
        labels = self.classes_
        if labels.dtype == object and all(isinstance(label, str) for label in labels):
            labels = labels.astype(str)
        if labels.dtype == object:
            warnings.warn(f"labels that are {type(labels[0]).__name__} are saved as text", stacklevel=2)
        else:
            np.save(Path(os.fspath(directory)) / LABELS_FILE, labels, allow_pickle=False)

    @classmethod
    def load(cls, directory: Any, device: Any = None) -> PromptClassifier:
        """Opens a run directory: what `save` wrote, or ``dunlin train``.

        Parameters
        ----------
        directory : str or path
        device : str, int or None
            To use instead of the run's.

        Returns
        -------
        PromptClassifier
            Fitted, with the parameters of the run's config.
        """
        return cls._of(Trained.open(directory, None if device is None else str(device)), directory, device)

    @classmethod
    def _of(cls, trained: Trained, directory: Any, device: Any) -> PromptClassifier:
        found = trained.class_names()
        columns: np.ndarray | None = np.argsort(np.array(found), kind="stable")
        classes = np.array(found)[columns]
        path = Path(os.fspath(directory)) / LABELS_FILE
        if path.exists():
            try:
                classes = np.load(path, allow_pickle=False)
            except (OSError, ValueError) as error:
                raise InputError(f"{path} is damaged: {error}") from None
            if classes.ndim != 1:
                raise InputError(f"{path} has the shape {classes.shape}, not a row of labels")
            columns = _texts.columns_of(_texts.class_names(classes), found)
        self = cls(**cls._parameters_of(trained.info()["config"]), device=device)
        self._take(trained, classes, columns)
        return self

    @staticmethod
    def _parameters_of(config: Mapping[str, str]) -> dict[str, Any]:
        """The parameters behind a run's config; options are what differs from the defaults."""
        kinds = {"epochs": int, "lr": float, "seed": int}
        parameters: dict[str, Any] = {
            name: kinds.get(name, str)(config[key])
            for name, key in KEYS.items()
            if name != "device" and config.get(key)
        }
        parameters.setdefault("prompt", None)
        with Config() as defaults:
            options = {
                key: value
                for key, value in config.items()
                if key not in NOT_OPTIONS and key not in KEYS.values() and value != defaults.get(key)
                and (key == "output.calibrate" or not key.startswith("output."))
            }  # fmt: skip
        return {**parameters, "options": options or None}
