#!/usr/bin/env bash
# The Python package: its wheel is made of this build, installed into a virtual environment, and tested there.
# Usage: python.sh DUNLIN FIXTURES SOURCE BUILD; without a way to install the environment the status is 77, skipped.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3
build=$4
environment=$build/python-env
requirements=("$here/python/requirements.txt" "$source/tools/wheel-requirements.txt")

# What the wheel is tested with; the wheel itself comes anew each time. Written last: the installation finished.
if [ "$(cat "$environment/installed" 2>/dev/null)" != "$(cat "${requirements[@]}")" ]; then
    rm -rf "$environment"
    if ! python3 -m venv "$environment" >"$work/log" 2>&1 ||
        ! "$environment/bin/python" -m pip install -q --disable-pip-version-check --no-compile \
            "${requirements[@]/#/-r}" >>"$work/log" 2>&1; then
        skip "PyPI is out of reach, or there is no python3-venv: $(tail -n 1 "$work/log")"
    fi
    cat "${requirements[@]}" >"$environment/installed"
fi
python=$environment/bin/python
PYTHON=$python "$source/tools/wheel" --build "$build" >"$work/out" 2>"$work/err" || stop "tools/wheel"
tail -n 1 "$work/err"
"$python" -m pip install -q --disable-pip-version-check --no-compile --force-reinstall --no-deps --no-index \
    "$(tail -n 1 "$work/out")" >"$work/log" 2>&1 || stop "the wheel cannot be installed: $(cat "$work/log")"

# From a folder of the test's own: nothing of the source is imported.
export DUNLIN_FIXTURES=$fixtures DUNLIN_BUILT=$dunlin DUNLIN_SOURCE=$source PYTHONPYCACHEPREFIX=$environment/pycache
"$python" -m pytest -q -p no:cacheprovider --rootdir "$here/python" "$here/python"
