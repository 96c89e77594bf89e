"""Soft prompts on frozen language models: text classifiers from some hundred labelled texts, on your own computer.

`PromptClassifier` is an estimator of scikit-learn's kind, `train` does what ``dunlin train`` does, and `embed` gives what
a model makes of texts without any training. `devices`, `check` and `models` tell what there is to compute with. What
runs have to say goes to the logger "dunlin".
"""

from ._classifier import PromptClassifier
from ._errors import ConfigError, DeviceError, DunlinError, InputError
from ._functions import check, devices, embed, models
from ._progress import Progress
from ._run import Run, train
from ._version import __version__

__all__ = [
    "ConfigError",
    "DeviceError",
    "DunlinError",
    "InputError",
    "Progress",
    "PromptClassifier",
    "Run",
    "__version__",
    "check",
    "devices",
    "embed",
    "models",
    "train",
]
