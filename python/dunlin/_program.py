"""The program: that of the wheel, as the command ``dunlin``; where the package came without one, the system's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from . import _drivers

PROGRAM = Path(__file__).resolve().parent / "lib" / "dunlin"
if not PROGRAM.parent.is_dir():
    PROGRAM = Path(PROGRAM.name)


def environment() -> dict[str, str]:
    """That of the process, with the folder in which Intel's CPU runtime is found (``dunlin[cpu]``)."""
    folder = _drivers.vendors()
    return dict(os.environ) if folder is None else {**os.environ, _drivers.VARIABLE: folder}


def main() -> None:
    """Becomes the program, with the arguments of this process."""
    try:
        os.execvpe(PROGRAM, [str(PROGRAM), *sys.argv[1:]], environment())
    except OSError as error:
        sys.exit(f"dunlin: {PROGRAM} cannot be run: {error.strerror}")
