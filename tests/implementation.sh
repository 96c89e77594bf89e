#!/usr/bin/env bash
# Another OpenCL implementation, alone: `dunlin check` there, and then the tests that are named.
# Usage: implementation.sh DUNLIN INSTALLER ICD DEVICE [OPTION...] TEST[=SKIP]..., where INSTALLER prints a folder of
# drivers, among which ICD names the one that is meant; without a way to install it the status is 77, skipped. OPTIONs
# are those of `dunlin check`. SKIP is a part of the test to leave out: one that builds all kernels several times, cut in
# other ways.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
installer=$2
icd=$3
device=$4
shift 4
check=(check --device "$device")
while [[ ${1:-} == --* ]]; do
    check+=("$1")
    shift
done

if ! drivers=$("$installer" 2>"$work/err"); then
    skip "$device cannot be installed here: $(tail -n 1 "$work/err")"
fi
mkdir "$work/icd"
cp "$drivers/$icd" "$work/icd/" || stop "the installer left no $icd"
export OCL_ICD_VENDORS=$work/icd DUNLIN_TEST_DEVICE=$device DUNLIN_TEST_BRIEF=1
"$dunlin" "${check[@]}" >"$work/out" 2>"$work/err" || stop "check on $device"
tail -n 1 "$work/out"
for test in "$@"; do
    skip=${test#"${test%%=*}"}
    (cd "$here/.." && DUNLIN_TEST_SKIP=${skip#=} "${test%%=*}") >"$work/out" 2>"$work/err" || stop "$test on $device"
done
