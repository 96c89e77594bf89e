#!/usr/bin/env bash
# NumPy and the safetensors package read what dunlin writes: a run's prompt.safetensors, points and exports, each
# with the same numbers. Usage: interop.sh DUNLIN FIXTURES FOLDER, where FOLDER is for the Python environment;
# without a way to install it the status is 77, skipped.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
environment=$3

reads() {
    "$environment/bin/python" -c 'import numpy, safetensors.numpy' 2>/dev/null
}

if ! reads; then
    if ! python3 -m venv "$environment" >"$work/log" 2>&1 ||
        ! "$environment/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 safetensors==0.8.0 \
            >>"$work/log" 2>&1; then
        skip "the Python packages numpy and safetensors cannot be installed here: $(tail -n 1 "$work/log")"
    fi
    reads || stop "numpy and safetensors are installed but cannot be imported"
fi

for i in {1..6}; do
    printf 'then the inn %s\tno\nqqzz qz xx%s\tgenau so\n' "$i" "$i"
done >data.tsv
tiny_config data.tsv >config.ini <<'END'
[prompt]
init = vocab
[train]
epochs = 1
END
run() {
    "$dunlin" "$@" >out 2>&1 || stop "dunlin $*: $(cat out)"
}
run train config.ini --out run --quiet
run points run --out points.npz
run points run --out points.safetensors
run export run --format npz --out run.npz
run export run --format peft --out peft
"$environment/bin/python" "$here/interop_arrays.py" run points peft || stop "interop_arrays.py"
