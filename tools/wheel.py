#!/usr/bin/env python3
"""Assembles the wheel of a build; tools/wheel has told what and why, and calls this."""

import argparse
import base64
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOST_BYTES = 10 << 20
LOADER = "libOpenCL.so.1"
# What every system of the tag has, by auditwheel's policies.
OF_THE_SYSTEM = re.compile(r"^(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|util|gcc_s|stdc\+\+|z))\.so")


def fail(message):
    sys.exit(f"wheel: {message}")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode:
        fail(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def linked(files):
    """The libraries that these files need and not every system has: name and path."""
    found = {}
    for file in files:
        for line in run("ldd", file).splitlines():
            row = re.match(r"\s+(\S+) => (\S+)", line)
            if row and row.group(2) == "not":
                fail(f"{file} needs {row.group(1)}, which is not there")
            if row and not OF_THE_SYSTEM.match(row.group(1)) and row.group(1) != "libdunlin.so.0":
                found[row.group(1)] = row.group(2)
    return found


def licence_of(library):
    """The package of a library of Debian's, and its copyright file."""
    real = os.path.realpath(library)
    for path in (library, real, re.sub("^/usr", "", real), f"/usr{real}"):
        done = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True)
        if done.returncode == 0:
            package = done.stdout.split(":")[0]
            text = pathlib.Path(f"/usr/share/doc/{package}/copyright")
            if text.exists():
                return package, text
    fail(f"the licence of {library} is not known: no package has it")


def system_loader():
    for line in run("/sbin/ldconfig", "-p").splitlines():
        if line.split()[:1] == [LOADER]:
            return line.split()[-1]
    fail(f"{LOADER} is not there; install ocl-icd-libopencl1")


def stage(root, build, version):
    """Lays out the wheel's files in a folder."""
    package, info = root / "dunlin", root / f"dunlin-{version}.dist-info"
    shutil.copytree(ROOT / "python/dunlin", package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    (package / "_version.py").write_text(f'"""Written by tools/wheel."""\n\n__version__ = "{version}"\n')
    lib = package / "lib"
    lib.mkdir()
    parts = dict(line.split("=", 1) for line in (build / "wheel-parts").read_text().split())
    for name, path in {**parts, LOADER: system_loader()}.items():
        (lib / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(path), lib / name)
        run("strip", "--strip-unneeded", lib / name)
    licences = info / "licenses"
    licences.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", licences / "LICENSE")
    for library in (*linked(parts.values()).values(), system_loader()):
        name, text = licence_of(library)
        shutil.copy(text, licences / f"{name}.txt")
    metadata = (ROOT / "python/METADATA.in").read_text(encoding="utf-8").replace("@PROJECT_VERSION@", version)
    readme = (ROOT / "python/README.md").read_text(encoding="utf-8")
    (info / "METADATA").write_text(f"{metadata}\n{readme}", encoding="utf-8")
    tag = f"py3-none-linux_{platform.machine()}"
    (info / "WHEEL").write_text(
        f"Wheel-Version: 1.0\nGenerator: dunlin ({version})\nRoot-Is-Purelib: false\nTag: {tag}\n"
    )
    (info / "entry_points.txt").write_text("[console_scripts]\ndunlin = dunlin._program:main\n")
    return info, tag


def pack(root, info, path):
    """Zips a folder, with the list of its files."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        rows = []
        for file in files:
            name, data = file.relative_to(root).as_posix(), file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(data)}\n")
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if os.access(file, os.X_OK) else 0o100644) << 16
            archive.writestr(entry, data)
        record = f"{info.name}/RECORD"
        archive.writestr(record, "".join([*rows, f"{record},,\n"]))


def repair(wheel, out):
    """Brings the linked libraries in, and gives the tag that auditwheel finds."""
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    run(sys.executable, "-m", "auditwheel", "repair", "--exclude", LOADER, "-w", out, wheel, env=environment)
    made = list(out.glob("dunlin-*.whl"))
    if len(made) != 1:
        fail(f"auditwheel left {len(made)} wheels in {out}")
    return made[0]


def check(wheel):
    """What must hold of a wheel."""
    size = wheel.stat().st_size
    if size >= MOST_BYTES:
        fail(f"{wheel} has {size} bytes; less than {MOST_BYTES} are wanted")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    brought = [n.removeprefix("dunlin.libs/") for n in names if re.match("dunlin.libs/.", n)]
    licences = [pathlib.PurePosixPath(n).stem for n in names if re.search("/licenses/.", n)]
    for name in brought:
        # libjansson-1a2b3c.so.4 is of libjansson4
        stem = re.split(r"[-.]", name)[0].removeprefix("lib").lower()
        if not any(stem.rstrip("0123456789") in licence.lower() for licence in licences):
            fail(f"{name} has no licence in the wheel, which has those of {', '.join(licences)}")
    print(f"{wheel.name}: {size / 1e6:.1f} MB, brings {', '.join(sorted(brought))}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    version = re.search(r"^project\(dunlin VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE).group(1)
    shutil.rmtree(arguments.out, ignore_errors=True)
    arguments.out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        root = pathlib.Path(work) / "root"
        root.mkdir()
        info, tag = stage(root, arguments.build, version)
        plain = pathlib.Path(work) / f"dunlin-{version}-{tag}.whl"
        pack(root, info, plain)
        wheel = repair(plain, arguments.out)
    check(wheel)
    print(wheel)


if __name__ == "__main__":
    main()
