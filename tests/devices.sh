#!/usr/bin/env bash
# Devices from outside: drivers that are missing, empty or crash are rows of `dunlin devices` and take nothing
# down; no driver at all and wrong selectors are one clear line; `dunlin check` and training refuse a device
# with a broken kernel; `dunlin compare` on one device twice, with a process killed, with a baseline.
# Usage: devices.sh DUNLIN FIXTURES SOURCE ICD_NOTHING ICD_CRASH
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3
nothing=$4
crash=$5
vendors=${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}
ulimit -c 0

# Drivers: good ones, one whose library is missing, one that is no driver, one that crashes.
mkdir icd none
cp "$vendors"/*.icd icd/
ends 0 devices
cp out before
echo "$work/missing.so" >icd/missing.icd
echo "$nothing" >icd/nothing.icd
echo "$crash" >icd/crash.icd
OCL_ICD_VENDORS=$work/icd ends 0 devices
matches out '^\* 0 '
matches out '^-: .*missing.icd gives no platform'
matches out '^-: .*nothing.icd gives no platform'
matches out '^-: .*crash.icd crashes when it is loaded'
[ "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' before)" -le 120 ] ||
    stop "the table of devices is wide"
OCL_ICD_VENDORS=$work/icd ends 0 devices --json
matches out '"selector":0,'
matches out '"icd":"[^"]*crash.icd","error":"crashes'
rm icd/crash.icd
OCL_ICD_VENDORS=$work/icd ends 0 devices "$device"
grep -q missing.icd out && stop "a selector lists drivers"

# Nothing there, nothing that fits.
OCL_ICD_VENDORS=$work/none ends 4 devices
matches err 'no OpenCL platform was found .*install'
[ "$(wc -l <err)" -eq 1 ] || stop "no driver: more than a line"
for selector in 99 9:9 nothing-of-this-name; do
    ends 4 check --device "$selector"
    matches err 'matches no device; there is: 0 = '
done
ends 4 devices 99
matches err 'matches no device; there is: 0 = '

# A broken kernel: said, refused, forced; a broken product is put aside.
for i in 1 2 3 4 5 6 7 8; do
    printf 'aa ab %d\tlow\nzz zy %d\thigh\n' "$i" "$i"
done >data.tsv
tiny_config data.tsv >config.ini <<'END'
[prompt]
init = random
tokens = 2
[train]
epochs = 4
batch_size = 4
[output]
report = no
END
ends 0 check --quick --device "$device"
matches out '^passed in .* kernels, matrix products by '
ends 0 devices "$device"
matches out ' quick$'

# What is listed is what a run takes: a tuned row, and where it comes from.
printf '[mine]\ngemm = naive\ntiles = WG=4 VW=4\nnote = by hand\n' >rows.ini
DUNLIN_DEVICES=$work/rows.ini ends 0 devices "$device"
matches out ' naive +4/4 '
matches out 'GEMM naive: tuned, \[mine\] in .*rows.ini'
DUNLIN_DEVICES=$work/rows.ini ends 0 devices "$device" --json
matches out '"gemm":"naive",.*"group":4,"vector":4,.*"tiles_reason":"tuned, .*by hand'
printf '[odd]\ngemm = local\ntiles = TS_M=0\n' >odd.ini
DUNLIN_DEVICES=$work/odd.ini ends 0 devices "$device"
matches out ' local \(cannot\) '

# A broken kernel.
cp -r "$source/kernels.cl" .
mkdir -p host
cp -r "$source/host/kernels" host/
sed -i 's|/ (float)C + eps|+ eps|' host/kernels/norm.cl
cmp -s host/kernels/norm.cl "$source/host/kernels/norm.cl" && stop "norm.cl has no place to break any more"
export DUNLIN_KERNELS=$work/kernels.cl
ends 4 check --quick --device "$device"
matches out 'FAILED: do not trust this device'
matches err 'fails the self-test: rmsnorm'
ends 4 train config.ini --device "$device" --out refused
matches err 'fails the self-test: rmsnorm.*--force'
ends 0 train config.ini --device "$device" --out forced --force
matches err 'used all the same'
cp "$source/host/kernels/norm.cl" host/kernels/
sed -i 's|\* 64 + 64, K)|* 64 + 63, K)|' host/kernels/gemm_reg.cl
if [[ $("$dunlin" devices "$device" --json) == *'"gemm":"reg"'* ]]; then
    ends 0 train config.ini --device "$device" --out aside
    matches err 'stands in, slower'
    matches aside/config.ini '^gemm = (naive|local)'
fi
# A tuned row's way to multiply is the usual one there, and put aside when it fails.
cp "$source/host/kernels/gemm_reg.cl" host/kernels/
sed -i 's|fma((ts_vec)(x part), b\[j\]|fma((ts_vec)(x part), 2.0f * b[j]|' host/kernels/gemm_local.cl
cmp -s host/kernels/gemm_local.cl "$source/host/kernels/gemm_local.cl" && stop "gemm_local.cl has no place to break"
sed -i 's/^gemm = naive/gemm = local/; s/^tiles = .*/tiles = VW=4/' rows.ini
DUNLIN_DEVICES=$work/rows.ini ends 0 train config.ini --device "$device" --out tuned
matches err 'stands in, slower'
matches tuned/config.ini '^gemm = (naive|reg)'
DUNLIN_DEVICES=$work/rows.ini ends 0 devices "$device"
matches out 'GEMM (naive|reg): stands in for what fails the self-test'
unset DUNLIN_KERNELS

# One device twice: the same bits; then beside a baseline.
"$dunlin" devices "$device" --json | sed 's/.*"selector":\([0-9]*\).*/\1/' >index
twice=$(cat index),$(cat index)
ends 0 compare config.ini --device "$twice" --out twice
matches out '^2  .* 0\.0e\+00 +- +0\.0e\+00 +100\.0%'
matches twice/compare.json '"first_difference":0.0,"parts_at":null'
matches twice/compare.html '<path fill="none"'
grep -qE '(src|href)=' twice/compare.html && stop "the page needs other files"
ends 1 compare config.ini --device "$twice" --out twice
ends 0 compare config.ini --device "$(cat index)" --baseline twice/compare.json --out beside --json
matches out '"name":"baseline: '
ends 3 compare config.ini --device "$(cat index)" --baseline data.tsv --out bad
ends 2 compare config.ini --timeout never

# kill -9 of one device's process leaves the others and a table.
"$dunlin" compare config.ini --device "$twice" --set train.epochs=3000 --timeout 200 --out killed >out 2>err &
pid=$!
comes $pid err grep -q 'train in process' err
kill -9 "$(sed -n 's/.*train in process //p' err | head -n 1)"
wait $pid || stop "compare of two devices of which one was killed"
matches out 'failed, killed by signal 9'
matches out ': finished; self-test'
# A time limit; when nothing finishes the status says so.
ends 4 compare config.ini --device "$(cat index)" --set train.epochs=900000 --timeout 2 --out slow
matches out 'failed, took longer than 2 s'
# What a process that fails says is in the table: dunlin's message, or what a driver printed before it ended itself.
"$dunlin" compare config.ini --device "$(cat index)" --set prompt.tokens=4000 --out refused >out 2>err
matches out 'failed, data.max_length 64 and the prompt.s 4000 rows exceed'
finish
printf 'all good\n'
