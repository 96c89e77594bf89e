#!/usr/bin/env bash
# A second OpenCL implementation: every kernel and product, the self-test and a training on Intel's runtime for
# CPUs, beside what the first one (PoCL) makes of the same config: the first step's losses within 1e-4, the
# accuracy within a point. Usage: intel.sh DUNLIN FIXTURES INSTALLER TEST..., where INSTALLER prints the folder
# of drivers; without a way to install the runtime the status is 77, skipped.
set -uo pipefail

dunlin=$1
fixtures=$2
installer=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
intel='Intel(R) OpenCL'

fail() {
    printf 'FAILED: %s\n' "$*"
    tail -n 40 "$work/out" "$work/err" 2>/dev/null
    exit 1
}

if ! OCL_ICD_VENDORS=$("$installer" 2>"$work/err"); then
    printf "SKIPPED: Intel's runtime cannot be installed here: %s\n" "$(tail -n 1 "$work/err")"
    exit 77
fi
export OCL_ICD_VENDORS
for test in "$@"; do
    DUNLIN_TEST_DEVICE=$intel "$test" >"$work/out" 2>"$work/err" || fail "$test on $intel"
done

cd "$work" || exit 1
# Every fifth label is wrong, so that losses stay away from zero and accuracies from one.
labels=(high low)
for i in {1..100}; do
    printf '%s %d\t%s\n' "$([ $((i % 2)) -eq 1 ] && echo 'aa ab ba' || echo 'zz zy yz')" "$i" \
        "${labels[$(((i + (i % 5 == 0)) % 2))]}"
done >data.tsv
cat >config.ini <<END
[model]
path = $fixtures/tiny-a.gguf
[data]
train = data.tsv
valid = data.tsv
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
"$dunlin" check --device "$intel" >out 2>err || fail "check on $intel"
"$dunlin" compare config.ini --device "Portable Computing,$intel" --out both >out 2>err || fail "compare"
python3 - both/*/ <<'END' || fail "the devices differ"
import json, sys
runs = sys.argv[1:]
losses = [json.loads(open(run + "history.jsonl").readline())["loss"] for run in runs]
accuracies = [json.load(open(run + "metrics.json"))["accuracy"] for run in runs]
print("losses of the first step", losses, "accuracies", accuracies)
assert len(runs) == 2
assert losses[0] > 0.01 and abs(losses[0] - losses[1]) <= 1e-4 * losses[0]
assert accuracies[0] < 1 and abs(accuracies[0] - accuracies[1]) <= 0.01
END
