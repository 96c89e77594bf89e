"""The program that lies in the package, as the command ``dunlin``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from . import _drivers

PROGRAM = Path(__file__).resolve().parent / "lib" / "dunlin"


def environment() -> dict[str, str]:
    """That of the process, with the folder in which Intel's CPU runtime is found (``dunlin[cpu]``)."""
    folder = _drivers.vendors()
    return dict(os.environ) if folder is None else {**os.environ, _drivers.VARIABLE: folder}


def main() -> None:
    """Becomes the program, with the arguments of this process."""
    try:
        os.execve(PROGRAM, [str(PROGRAM), *sys.argv[1:]], environment())
    except OSError as error:
        sys.exit(f"dunlin: {PROGRAM} cannot be run: {error.strerror}")
