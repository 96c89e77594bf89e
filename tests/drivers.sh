#!/usr/bin/env bash
# One config on every OpenCL implementation that can be had here beside PoCL: the first step's losses within 1e-4,
# the accuracy within a point. Then on all of them together, twice with the same shares: the same bits.
# Usage: drivers.sh DUNLIN FIXTURES INSTALLER..., which print folders of drivers; the status is 77, skipped, where
# none can install anything.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
shift 2

mkdir icd
for installer in "$@"; do
    if drivers=$("$installer" 2>err); then
        cp "$drivers"/*.icd icd/
    else
        printf 'left out: %s: %s\n' "${installer##*/}" "$(tail -n 1 err)"
    fi
done
[ -n "$(ls icd)" ] || skip "there is no other OpenCL implementation"
export OCL_ICD_VENDORS=$work/icd RUSTICL_ENABLE=llvmpipe

# Every fifth label is wrong, so that losses stay away from zero and accuracies from one.
labels=(high low)
for i in {1..100}; do
    printf '%s %d\t%s\n' "$([ $((i % 2)) -eq 1 ] && echo 'aa ab ba' || echo 'zz zy yz')" "$i" \
        "${labels[$(((i + (i % 5 == 0)) % 2))]}"
done >data.tsv
tiny_config data.tsv >config.ini <<'END'
[prompt]
init = random
tokens = 3
lr = 1e-2
[centroid]
start = mean
[train]
batch_size = 10
[output]
report = no
END
"$dunlin" compare config.ini --device all --out all >out 2>err || stop "compare"
n_devices=$("$dunlin" devices --json | grep -o '"selector"' | wc -l)
"$dunlin" train config.ini --device "$(seq -s , 0 $((n_devices - 1)))" --out all/together >out 2>err ||
    stop "train on all of them together"
"$dunlin" train all/together/config.ini --out again >out 2>err || stop "the same again"
for file in prompt.safetensors history.jsonl predictions.tsv; do
    cmp all/together/$file again/$file || stop "together, twice: other bits"
done
python3 - "$n_devices" all/*/ <<'END' || stop "the devices differ"
import json, sys
n, runs = int(sys.argv[1]), sys.argv[2:]
losses = [json.loads(open(run + "history.jsonl").readline())["loss"] for run in runs]
accuracies = [json.load(open(run + "metrics.json"))["accuracy"] for run in runs]
print("losses of the first step", losses, "accuracies", accuracies)
assert len(runs) == n + 1 > 2
assert losses[0] > 0.01 and accuracies[0] < 1
assert all(abs(loss - losses[0]) <= 1e-4 * losses[0] for loss in losses)
assert all(abs(accuracy - accuracies[0]) <= 0.01 for accuracy in accuracies)
END
