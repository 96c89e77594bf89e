"""The errors of the library as exceptions, one a status."""

from __future__ import annotations


class DunlinError(RuntimeError):
    """A call of the library failed.

    Attributes
    ----------
    status : int
        The status, which is the exit code of the program ``dunlin`` for the same failure.
    """

    status = 1


class ConfigError(DunlinError, ValueError):
    """A wrong argument, or a config that cannot be (status 2)."""

    status = 2


class InputError(DunlinError, ValueError):
    """A model, text, label, run directory or pickle is not what it must be (status 3)."""

    status = 3


class DeviceError(DunlinError):
    """No OpenCL, no such device, or it failed (status 4).

    Attributes
    ----------
    results : list of dict or None
        Of `dunlin.check`: what was found of each device before and besides the failure.
    """

    status = 4
    results: list[dict] | None = None


BY_STATUS = {error.status: error for error in (DunlinError, ConfigError, InputError, DeviceError)}


def not_fitted(what: str) -> Exception:
    """scikit-learn's NotFittedError where it is installed, else one of the same bases."""
    message = f"this {what} is not fitted yet: call fit with texts and labels, or load a run"
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:

        class NotFittedError(ValueError, AttributeError):  # type: ignore[no-redef]
            """Used before fit."""

    return NotFittedError(message)
