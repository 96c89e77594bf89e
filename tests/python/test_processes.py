"""Processes and threads: joblib, fork, threads that share an estimator or have their own, no OpenCL, the command."""

import importlib.metadata
import os
import pathlib
import pickle
import subprocess
import sys
import threading

import dunlin
from dunlin import _drivers
import joblib
import numpy as np
from conftest import DEVICE, MODEL, estimator


def in_python(code, *arguments, **environment):
    """Another Python; what it printed, and how it ended."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_joblib(fitted, texts):
    parts = [texts[:6], texts[6:]]
    found = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(fitted.distances)(part) for part in parts)
    np.testing.assert_array_equal(np.vstack(found), fitted.distances(texts))


def test_a_pickle_is_used_in_another_process(fitted, texts, tmp_path):
    (tmp_path / "clf").write_bytes(pickle.dumps(fitted))
    code = "import pickle, sys; print(*pickle.load(open(sys.argv[1], 'rb')).predict(sys.argv[2:]))"
    done = in_python(code, tmp_path / "clf", *texts)
    assert done.stdout.split() == fitted.predict(texts).tolist(), done.stderr


def test_fork_is_an_error_never_a_hang(fitted, texts):
    packed = pickle.dumps(fitted)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"no error"
        try:
            fitted.predict(texts)
        except dunlin.DeviceError as error:
            said = f"1 {error}".encode()
        try:
            pickle.loads(packed).predict(texts)
        except dunlin.DeviceError as error:
            said += f"\n2 {error}".encode()
        os.write(write, said)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read().splitlines()
    assert os.waitpid(child, 0)[1] == 0
    assert [line.split()[0] for line in said] == ["1", "2"] and all("fork" in line for line in said), said
    assert fitted.predict(texts).shape == (len(texts),)


def test_a_child_may_be_the_first(texts, labels):
    code = """
import os, sys, dunlin
child = os.fork()
if child == 0:
    print(len(dunlin.devices()) > 0, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(len(dunlin.devices()) > 0)
"""
    done = in_python(code)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_threads(fitted, texts, labels):
    expected, failures, made = fitted.distances(texts), [], {}

    def work(i):
        try:
            for _ in range(5):
                np.testing.assert_array_equal(fitted.distances(texts), expected)
            made[i] = estimator(seed=i).fit(texts, labels)
            assert made[i].score(texts, labels) > 0.5
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures and len(made) == 4
    assert made[1].history_ == fitted.history_  # the same seed
    for i, clf in made.items():
        assert clf.history_ == estimator(seed=i).fit(texts, labels).history_


def test_no_driver(tmp_path):
    done = in_python("import dunlin; dunlin.devices()", OCL_ICD_VENDORS=str(tmp_path))
    assert done.returncode == 1 and "DeviceError: no OpenCL platform was found" in done.stderr
    code = "import sys, dunlin; dunlin.PromptClassifier(sys.argv[1], options={'prompt.init': 'random'}, prompt=None)"
    done = in_python(code + ".fit(['a', 'b'], [0, 1])", MODEL, OCL_ICD_VENDORS=str(tmp_path))
    assert done.returncode == 1 and "DeviceError: no OpenCL platform was found" in done.stderr


def test_nothing_is_printed_and_nothing_is_left_in_the_environment(texts, labels, tmp_path):
    code = """
import os, sys, dunlin
before = dict(os.environ)
def environment():
    return dict(e.split(b"=", 1) for e in open("/proc/self/environ", "rb").read().split(b"\\0") if b"=" in e)
raw = environment()
clf = dunlin.PromptClassifier(sys.argv[1], device=sys.argv[2], prompt=None, epochs=1,
                              options={"prompt.init": "random", "device.check": "no"})
clf.fit(["aa", "zz"], [0, 1]).predict(["a"])
assert dict(os.environ) == before and environment() == raw
"""
    done = in_python(code, MODEL, DEVICE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_logging(texts, labels, caplog):
    with caplog.at_level("DEBUG", logger="dunlin"):
        estimator().fit(texts, labels)
    assert any(record.levelname == "INFO" for record in caplog.records)


def test_importing_brings_nothing_else():
    code = (
        "import sys, dunlin; print(*(m for m in ('sklearn', 'scipy', 'tqdm', 'pandas', 'joblib') if m in sys.modules))"
    )
    done = in_python(code)
    assert done.returncode == 0 and done.stdout.split() == [], done.stderr


def test_the_command(program):
    command = pathlib.Path(sys.executable).parent / "dunlin"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout == program("--version") == f"dunlin {dunlin.__version__}\n"
    assert subprocess.run([command, "nothing"], capture_output=True, check=False).returncode == 2
    done = subprocess.run([command, "serve", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "built without serve" in done.stderr


def test_its_pages_come_without_pictures(config, tmp_path):
    command = pathlib.Path(sys.executable).parent / "dunlin"
    dunlin.train(config, set={"output.report": True}, out=tmp_path / "run")
    done = subprocess.run([command, "report", tmp_path / "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "built without pictures" in done.stderr, done.stderr
    assert (tmp_path / "run/report.html").exists() and not (tmp_path / "run/scatter.png").exists()


def test_a_folder_of_drivers_for_the_first_call(tmp_path, monkeypatch):
    """As with dunlin[cpu], which tools/test-python installs."""
    runtime = tmp_path / "libintelocl.so"
    runtime.touch()
    monkeypatch.delenv("OCL_ICD_VENDORS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_drivers, "intel_runtime", lambda: runtime)
    folder = pathlib.Path(_drivers.vendors())
    assert folder.parent == tmp_path / "cache/dunlin"
    assert (folder / "dunlin-intel-cpu.icd").read_text() == f"{runtime}\n"
    system = {path.name for path in pathlib.Path("/etc/OpenCL/vendors").glob("*.icd")}
    assert {path.name for path in folder.iterdir()} == system | {"dunlin-intel-cpu.icd"}
    (folder / "gone.icd").write_text("/x\n")  # a driver that was removed since
    assert _drivers.vendors() == str(folder) and not (folder / "gone.icd").exists()
    folder.chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere/at/all"))
    (tmp_path / "nowhere").touch()
    assert _drivers.vendors() is None
    monkeypatch.setenv("OCL_ICD_VENDORS", "/somewhere")
    assert _drivers.vendors() is None


def test_the_loader_of_the_system_comes_first():
    code = """
import dunlin
dunlin.devices()
maps = {line.split()[-1] for line in open("/proc/self/maps") if "libOpenCL.so" in line}
print(*maps)
"""
    loaded = in_python(code).stdout.split()
    assert len(loaded) == 1 and not loaded[0].startswith(str(pathlib.Path(dunlin.__file__).parent)), loaded
    bundled = pathlib.Path(dunlin.__file__).parent / "lib/libOpenCL.so.1"
    assert bundled.is_file()


def test_typed_and_small():
    files = importlib.metadata.files("dunlin")
    assert any(f.name == "py.typed" for f in files)
    assert any(f.parent.name == "licenses" and f.name == "LICENSE" for f in files)
    tags = importlib.metadata.distribution("dunlin").read_text("WHEEL")
    assert "Tag: py3-none-manylinux" in tags and "Root-Is-Purelib: false" in tags
    needs = importlib.metadata.requires("dunlin")
    assert [n for n in needs if "extra" not in n] == ["numpy>=1.22"], needs
