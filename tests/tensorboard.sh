#!/usr/bin/env bash
# TensorBoard's own reader finds in a run's event files what history.jsonl says, also after a resume from an
# earlier checkpoint. Usage: tensorboard.sh DUNLIN FIXTURES FOLDER, where FOLDER is for the reader's Python
# environment; without a way to install it the status is 77, skipped.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
environment=$3

reads() {
    "$environment/bin/python" -c 'import tensorboard.backend.event_processing.event_accumulator' 2>/dev/null
}

# The reader alone: what serves pages is left out.
if ! reads; then
    if ! python3 -m venv "$environment" >"$work/log" 2>&1 ||
        ! "$environment/bin/pip" install -q --disable-pip-version-check --no-deps tensorboard==2.21.0 \
            protobuf==7.36.2 numpy absl-py typing_extensions grpcio >>"$work/log" 2>&1; then
        skip "the Python package tensorboard cannot be installed here: $(tail -n 1 "$work/log")"
    fi
    reads || stop "tensorboard is installed but cannot be imported"
fi

for i in {1..12}; do
    printf 'aa ab ba %d\tlow\nzz zy yz %d\thigh\n' "$i" "$i"
done >data.tsv
tiny_config data.tsv >config.ini <<'END'
[prompt]
init = random
tokens = 3
[train]
epochs = 3
batch_size = 5
eval_every = 4
[output]
checkpoint_every = 3
tensorboard = yes
END
"$dunlin" train -q config.ini --out run >out 2>&1 || stop "training: $(cat out)"
"$environment/bin/python" "$here/interop_tensorboard.py" run || stop "a run in one go"

# Back to the checkpoint before the last, as if the program had been killed after it.
[ "$(grep -c . run/history.jsonl)" -eq 15 ] || stop "the run has another number of steps"
cp run/history.jsonl whole.jsonl
rm run/metrics.json
mv run/checkpoint.previous run/checkpoint
# The end of the older file is torn, too.
for file in run/events.out.tfevents.*; do
    truncate -s -5 "$file"
done
"$dunlin" train -q --resume run >out 2>&1 || stop "resuming: $(cat out)"
cmp run/history.jsonl whole.jsonl || stop "the resumed run has another history"
set -- run/events.out.tfevents.*
[ $# -eq 2 ] || stop "$# event files after a resume, expected 2"
"$environment/bin/python" "$here/interop_tensorboard.py" run || stop "a resumed run"
