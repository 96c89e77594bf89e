#!/usr/bin/env bash
# Runs, checkpoints, configs and what is kept between runs, as version 0.1 left them: every command that reads a run
# takes them and gives the numbers that 0.1 gave; an interrupted run is gone on with. The losses of training may
# differ by 1e-5 (its sums have another order now and then), what is only read and computed by the last printed digit.
# Usage: old_runs.sh DUNLIN FIXTURES SOURCE
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3
[ "$device" = cpu ] || skip "the runs of 0.1 were made on a CPU"

cp -r "$fixtures/run-0.1/." .
ln -s "$fixtures/tiny-a.gguf" tiny-a.gguf
export DUNLIN_CACHE=$work/cache

# same RUN OTHER TOLERANCE: history, prompt, predictions and answers of two runs.
same() {
    "$dunlin" classify "$2" lines.txt --output tsv >"$2/classify.tsv" 2>err || fail "classify $2"
    python3 "$source/tools/same_bits.py" "$2" "$1" "$2" --tolerance "$3" >out 2>err || fail "$2 is not what 0.1 made"
}

# What 0.1 kept is listed, used where it fits and otherwise left alone.
ends 0 cache
matches out '^programs .*-DWG=1'
matches out '^checks .*self-test'
matches out '^tuning '
ends 0 train config.ini --set device.gemm=auto --set device.tiles=auto --out kept
grep -q 'is ignored' err && fail 'something that 0.1 kept is called damaged'
[ -s kept/metrics.json ] || fail 'no run with what 0.1 kept'

# Read: eval, classify, points, report, export, a prompt to start from.
for run in finished rich; do
    ends 0 eval $run --json
    cmp -s out expected/eval-$run.json || fail "eval $run is not what 0.1 said"
    cp -r $run read-$run
    same $run read-$run 1e-6
    ends 0 points $run --out points.safetensors
    python3 "$source/tools/same_bits.py" points "expected/points-$run.safetensors" points.safetensors \
        --part prompt.safetensors --tolerance 1e-7 >out 2>err || fail "points $run"
done
ends 0 report finished
says finished/report.html '"name":"finished"'
says finished/report.html '"steps":12'
ends 0 report finished rich --out both.html
says both.html '"name":"rich"'
ends 0 export finished --format npz --out finished.npz
python3 - <<'END' >out 2>err || fail 'export --format npz: other bytes'
import json, zipfile
old, new = (zipfile.ZipFile(name) for name in ("expected/finished.npz", "finished.npz"))
assert old.namelist() == new.namelist()
for name in old.namelist():
    a, b = (file.read(name) for file in (old, new))
    if name == "settings.npy":  # keys that came later are not compared
        a, b = (json.loads(x[10 + int.from_bytes(x[8:10], "little"):]) for x in (a, b))
        b["version"] = a["version"]
        b["settings"] = {key: b["settings"][key] for key in a["settings"]}
    assert a == b, name
END
ends 0 export finished --format peft --out peft
cmp -s peft/adapter_model.safetensors expected/adapter_model.safetensors || fail 'export --format peft: other bytes'
ends 0 train config.ini --set prompt.init=file --set prompt.file=finished --set prompt.lr_scale=none \
    --out next-again
python3 "$source/tools/same_bits.py" next next/history.jsonl next-again/history.jsonl --part history.jsonl \
    --tolerance 1e-5 >out 2>err ||
    fail 'init = file with a run of 0.1'

# The complete config that 0.1 wrote trains the same again but for the learning rate, which is scaled for the model now;
# its checkpoints are gone on with as they are.
for run in finished rich; do
    ends 0 train $run/config.ini --set prompt.lr_scale=none --out again-$run
    same $run again-$run 1e-5
done
for pair in finished=interrupted rich=interrupted-rich; do
    run=${pair#*=}
    ends 0 train --resume "$run"
    matches err '^resume +epoch [12], step [46]$'
    same "${pair%=*}" "$run" 1e-5
done

# A damaged one falls back to the checkpoint before it, that of another config is refused: as with one's own.
cp -r "$fixtures/run-0.1/interrupted" damaged
printf 'X' | dd of=damaged/checkpoint bs=1 seek=500 conv=notrunc status=none
ends 0 train --resume damaged
says err 'damaged/checkpoint: the checksum'
same finished damaged 1e-5
cp -r "$fixtures/run-0.1/interrupted" other
ends 3 train --resume other --set prompt.lr=0.5
says err 'belongs to config'

finish
echo "all as expected"
