#!/usr/bin/env bash
# Devices from outside: drivers that are missing, empty or crash are rows of `dunlin devices` and take nothing
# down; no driver at all and wrong selectors are one clear line; `dunlin check` and training refuse a device
# with a broken kernel; `dunlin compare` on one device twice, with a process killed, with a baseline.
# Usage: devices.sh DUNLIN FIXTURES SOURCE ICD_NOTHING ICD_CRASH
set -uo pipefail

dunlin=$1
fixtures=$2
source=$3
nothing=$4
crash=$5
device=${DUNLIN_TEST_DEVICE:-cpu}
vendors=${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ulimit -c 0

fail() {
    printf 'FAILED: %s\n' "$*"
    cat out err 2>/dev/null
    exit 1
}
# expect STATUS ARGS...
expect() {
    local wanted=$1 status
    shift
    "$dunlin" "$@" >out 2>err
    status=$?
    [ $status -eq "$wanted" ] || fail "dunlin $*: exit status $status, expected $wanted"
}
says() {
    grep -qE -e "$2" "$1" || fail "$1 does not contain: $2"
}

# Drivers: good ones, one whose library is missing, one that is no driver, one that crashes.
mkdir icd none
cp "$vendors"/*.icd icd/
expect 0 devices
cp out before
echo "$work/missing.so" >icd/missing.icd
echo "$nothing" >icd/nothing.icd
echo "$crash" >icd/crash.icd
OCL_ICD_VENDORS=$work/icd expect 0 devices
says out '^\* 0 '
says out '^-: .*missing.icd gives no platform'
says out '^-: .*nothing.icd gives no platform'
says out '^-: .*crash.icd crashes when it is loaded'
[ "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' before)" -le 120 ] ||
    fail "the table of devices is wide"
OCL_ICD_VENDORS=$work/icd expect 0 devices --json
says out '"selector":0,'
says out '"icd":"[^"]*crash.icd","error":"crashes'
rm icd/crash.icd
OCL_ICD_VENDORS=$work/icd expect 0 devices "$device"
grep -q missing.icd out && fail "a selector lists drivers"

# Nothing there, nothing that fits.
OCL_ICD_VENDORS=$work/none expect 4 devices
says err 'no OpenCL platform was found .*install'
[ "$(wc -l <err)" -eq 1 ] || fail "no driver: more than a line"
for selector in 99 9:9 nothing-of-this-name; do
    expect 4 check --device "$selector"
    says err 'matches no device; there is: 0 = '
done
expect 4 devices 99
says err 'matches no device; there is: 0 = '

# A broken kernel: said, refused, forced; a broken product is put aside.
for i in 1 2 3 4 5 6 7 8; do
    printf 'aa ab %d\tlow\nzz zy %d\thigh\n' "$i" "$i"
done >data.tsv
cat >config.ini <<END
[model]
path = $fixtures/tiny-a.gguf
[data]
train = data.tsv
valid = data.tsv
[prompt]
init = random
tokens = 2
[train]
epochs = 4
batch_size = 4
[output]
report = no
END
expect 0 check --quick --device "$device"
says out '^passed in .* kernels, matrix products by '
expect 0 devices "$device"
says out ' quick$'
cp -r "$source/kernels.cl" .
mkdir -p host
cp -r "$source/host/kernels" host/
sed -i 's|/ (float)C + eps|+ eps|' host/kernels/norm.cl
cmp -s host/kernels/norm.cl "$source/host/kernels/norm.cl" && fail "norm.cl has no place to break any more"
export DUNLIN_KERNELS=$work/kernels.cl
expect 4 check --quick --device "$device"
says out 'FAILED: do not trust this device'
says err 'fails the self-test: rmsnorm'
expect 4 train config.ini --device "$device" --out refused
says err 'fails the self-test: rmsnorm.*--force'
expect 0 train config.ini --device "$device" --out forced --force
says err 'used all the same'
cp "$source/host/kernels/norm.cl" host/kernels/
sed -i 's|\* 64 + 64, K)|* 64 + 63, K)|' host/kernels/gemm_reg.cl
if [[ $("$dunlin" devices "$device" --json) == *'"gemm":"reg"'* ]]; then
    expect 0 train config.ini --device "$device" --out aside
    says err 'stands in, slower'
    says aside/config.ini '^gemm = (naive|local)'
fi
unset DUNLIN_KERNELS

# One device twice: the same bits; then beside a baseline.
"$dunlin" devices "$device" --json | sed 's/.*"selector":\([0-9]*\).*/\1/' >index
twice=$(cat index),$(cat index)
expect 0 compare config.ini --device "$twice" --out twice
says out '^2  .* 0\.0e\+00 +- +0\.0e\+00 +100\.0%'
says twice/compare.json '"first_difference":0.0,"parts_at":null'
says twice/compare.html '<path fill="none"'
grep -qE '(src|href)=' twice/compare.html && fail "the page needs other files"
expect 1 compare config.ini --device "$twice" --out twice
expect 0 compare config.ini --device "$(cat index)" --baseline twice/compare.json --out beside --json
says out '"name":"baseline: '
expect 3 compare config.ini --device "$(cat index)" --baseline data.tsv --out bad
expect 2 compare config.ini --timeout never

# kill -9 of one device's process leaves the others and a table.
"$dunlin" compare config.ini --device "$twice" --set train.epochs=3000 --timeout 200 --out killed >out 2>err &
pid=$!
until grep -q 'train in process' err; do
    kill -0 $pid 2>/dev/null || fail "compare ended early"
    sleep 0.05
done
kill -9 "$(sed -n 's/.*train in process //p' err | head -n 1)"
sleep 0.2
until [ "$(grep -c 'train in process' err)" -eq 2 ]; do
    kill -0 $pid 2>/dev/null || fail "compare ended with the first device"
    sleep 0.05
done
wait $pid || fail "compare of two devices of which one was killed"
says out 'failed, killed by signal 9'
says out ': finished; self-test'
# A time limit; when nothing finishes the status says so.
expect 4 compare config.ini --device "$(cat index)" --set train.epochs=900000 --timeout 2 --out slow
says out 'failed, took longer than 2 s'
printf 'all good\n'
