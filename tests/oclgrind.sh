#!/usr/bin/env bash
# Every kernel on a simulated device that watches each access: nothing out of bounds, no data race. First a
# kernel that is broken on purpose shows that the watch sees something. Then the kernels that
# use local memory, on devices with little of it. Last, most kernels again: nothing read that was not set.
# Usage: oclgrind.sh TEST_KERNELS TEST_GEMM SOURCE
set -uo pipefail

test_kernels=$1
test_gemm=$2
source=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DUNLIN_TEST_DEVICE=0
# What becomes of a failure on the host is no matter of accesses, and a walk of an hour here.
export DUNLIN_TEST_SKIP=test_stops

# Oclgrind 21.10 knows no scopes of pointers that share nothing, which inlined functions of such
# arguments leave.
plain='-Drestrict='

# watch LOG KERNELS SECONDS: runs the kernel tests, every 13th case of each topic (with that, every kernel is
# still launched; all cases take the simulator a quarter of an hour); what Oclgrind reports goes to LOG.
watch() {
    DUNLIN_TEST_EVERY=13 DUNLIN_KERNELS=$2 timeout "$3" oclgrind --build-options "$plain" --data-races \
        --max-errors 20 --log "$1" "$test_kernels" >"$1.out" 2>&1
}

mkdir -p "$work/host"
cp "$source/kernels.cl" "$work/"
cp -r "$source/host/kernels" "$work/host/"
sed -i 's/in += (size_t)(start\[s + 1\] - 1)/in += (size_t)(start[s + 1] + 1000000)/' "$work/host/kernels/rows.cl"
if cmp -s "$work/host/kernels/rows.cl" "$source/host/kernels/rows.cl"; then
    echo "FAILED: last_fwd has no place to break any more: change this script with it"
    exit 1
fi
DUNLIN_TEST_FILTER=rows watch "$work/broken" "$work/kernels.cl" 100
if [ ! -s "$work/broken" ]; then
    echo "FAILED: a read far outside its buffer is not reported"
    exit 1
fi

if ! watch "$work/log" "$source/kernels.cl" 1000; then
    tail -n 30 "$work/log.out"
    echo "FAILED: the kernel tests, on Oclgrind"
    exit 1
fi
if [ -s "$work/log" ]; then
    head -n 40 "$work/log"
    echo "FAILED: Oclgrind reports the above"
    exit 1
fi

# small LOCAL_BYTES TEST PROGRAM: one test on a device with work-groups of 256 items and so much local memory.
small() {
    if ! DUNLIN_TEST_FILTER=$2 timeout 300 oclgrind --build-options "$plain" --data-races --max-wgsize 256 \
        --local-mem-size "$1" --max-errors 20 --log "$work/small" "$3" >"$work/small.out" 2>&1 || [ -s "$work/small" ]; then
        head -n 40 "$work/small"
        tail -n 30 "$work/small.out"
        echo "FAILED: $2 on a device with $1 bytes of local memory"
        exit 1
    fi
}
small 16384 test_small_device "$test_gemm"
small 32768 test_small_device "$test_gemm"
small 16384 test_small_groups "$test_kernels"

# Uninitialised reads. Oclgrind 21.10 crashes at a vector shuffle with a lane that nobody uses, and knows no
# `freeze`; only optimised code has these two, so the kernels are built without optimisation, and not from a
# cache. What it knows of a buffer shrinks to the bytes of the last host write, and a fill is a write for each
# byte: the topics optim, centroid and loss do that and are left out. What it knows of a freed buffer stays
# for the next one in its place, so many cases in one run report a larger buffer falsely: a few of each topic.
# unset_in LOG KERNELS TOPIC EVERY: every so many cases of a topic; what Oclgrind reports goes to LOG.
unset_in() {
    rm -f "$1"
    DUNLIN_CACHE=off DUNLIN_KERNELS=$2 DUNLIN_TEST_FILTER=$3 DUNLIN_TEST_EVERY=$4 timeout 120 oclgrind \
        --uninitialized --build-options "-cl-opt-disable $plain" --max-errors 20 --log "$1" "$test_kernels" \
        >"$1.out" 2>&1
}

cp "$source/host/kernels/rows.cl" "$work/host/kernels/"
sed -i 's/    float rest = 0.0f;/    float rest;/' "$work/host/kernels/norm.cl"
if cmp -s "$work/host/kernels/norm.cl" "$source/host/kernels/norm.cl"; then
    echo "FAILED: norm.cl has no place to break any more: change this script with it"
    exit 1
fi
unset_in "$work/unset" "$work/kernels.cl" norm 40
if ! grep -q -i uninitialized "$work/unset"; then
    echo "FAILED: a sum that starts from nothing is not reported"
    exit 1
fi
while read -r topic every; do
    if ! unset_in "$work/unset" "$source/kernels.cl" "$topic" "$every" || [ -s "$work/unset" ]; then
        head -n 40 "$work/unset"
        tail -n 30 "$work/unset.out"
        echo "FAILED: $topic, looking for uninitialised reads"
        exit 1
    fi
done <<'END'
rows 15
norm 15
rope 7
attention 19
distance 25
normalize 7
metric 7
boids 7
reparam 7
cache 7
traits 61
stored_rows 31
test_small_groups 61
END
echo "no access out of bounds, no data race, no uninitialised read"
