"""Intel's CPU runtime as pip installs it (``dunlin[cpu]``), found by the OpenCL loader without any setting.

The loader takes drivers from the .icd files of one folder and reads where that is once, when it is first asked. So for
that first call a folder stands in which names the system's drivers and Intel's; then the environment is as it was.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "OCL_ICD_VENDORS"
SYSTEM = Path("/etc/OpenCL/vendors")
PACKAGE, LIBRARY = "intel-opencl-rt", "libintelocl.so"

_lock = threading.RLock()
_loaded_by: int | None = None  # the process


def intel_runtime() -> Path | None:
    """The library of Intel's CPU runtime in this Python environment, or None."""
    from importlib import metadata

    try:
        files = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == LIBRARY:
            path = Path(os.path.realpath(file.locate()))
            if path.exists():
                return path
    path = Path(sys.prefix) / "lib" / LIBRARY
    return path.resolve() if path.exists() else None


def _contents(runtime: Path) -> dict[str, str]:
    """The .icd files that the loader is to find: name and text."""
    files = {}
    if SYSTEM.is_dir():
        for path in sorted(SYSTEM.glob("*.icd")):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                files[path.name] = path.read_text()
    named = {os.path.realpath(text.split("\n")[0]) for text in files.values() if text.startswith("/")}
    if str(runtime) not in named:
        files["dunlin-intel-cpu.icd"] = f"{runtime}\n"
    return files


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # What lies there names code that will be run: nobody else may be able to write it.
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder that this user alone can write")
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            part = folder / f"{name}.{os.getpid()}"
            part.write_text(text)
            part.replace(path)
    for path in folder.glob("*.icd"):
        if path.name not in files:
            path.unlink(missing_ok=True)


def vendors() -> str | None:
    """A folder for OCL_ICD_VENDORS, or None where nothing is to be set.

    Nothing is set where the user has set it, or where this Python environment has no runtime. The folder is kept in the
    user's cache, for its name is a part of what dunlin remembers of a driver.
    """
    import hashlib
    import tempfile

    if os.environ.get(VARIABLE):
        return None
    runtime = intel_runtime()
    if runtime is None:
        return None
    files = _contents(runtime)
    name = "icd-" + hashlib.sha256(str(runtime).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "dunlin"
    faults = []
    for place in (cache / name, Path(tempfile.gettempdir()) / f"dunlin-{os.geteuid()}-{name}"):
        try:
            _write(place, files)
            return str(place)
        except OSError as error:
            faults.append(str(error))
    logging.getLogger("dunlin").warning("Intel's CPU runtime is left out: %s", "; ".join(faults))
    return None


@contextlib.contextmanager
def first_load() -> Iterator[None]:
    """To be held around a call that may be the first of this process to ask for devices."""
    global _loaded_by
    if _loaded_by == os.getpid():
        yield
        return
    with _lock:
        folder = None if _loaded_by == os.getpid() else vendors()
        if folder is None:
            _loaded_by = os.getpid()
        else:
            os.environ[VARIABLE] = folder
            try:
                from . import _library

                # The cheapest call that makes the loader look; what fails here fails again where it is asked for.
                _library._load().dunlin_devices(None, 0, None)
            finally:
                del os.environ[VARIABLE]
            _loaded_by = os.getpid()
    yield
