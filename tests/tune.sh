#!/usr/bin/env bash
# dunlin tune's measuring process on a model made by tools/random-model: right candidates are measured, a broken
# kernel makes one wrong, one that does not fit is refused, and a whole quick tune leaves a row that is used.
# Usage: tune.sh DUNLIN SOURCE
set -euo pipefail

dunlin=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export DUNLIN_CACHE=$work/cache

fail() {
    echo "FAILED: $1"
    cat out err 2>/dev/null
    exit 1
}

"$source/tools/random-model" model.gguf --layers 1 --width 64 --heads 4 --kv-heads 2 --ffn 96 --vocab 300 2>/dev/null
echo "the tune" | "$dunlin" tokenize --model model.gguf >out 2>err || fail "the model's tokenizer"

measure() {
    "$dunlin" tune --model model.gguf --device cpu --quick --reference reference --measure "$1" >out 2>err
}
measure "naive WG=1 VW=4 ATT_WG=1" || fail "the reference is not made"
[ -s reference ] || fail "there is no reference"
measure "reg" || fail "reg is not measured"
grep -q '"text_s":[0-9.e-]*,"step_s":[0-9.e-]*,"off":[0-9.e-]*}' out || fail "an answer that is not whole"
measure "local WG=16 ATT_WG=16" || fail "local is not measured"
grep -q wrong out && fail "local is wrong"
if measure "local TS_M=128 TS_N=128 WPT_M=1 WPT_N=1 TS_VW=1"; then fail "work-groups of 16384 items"; fi
grep -q 'work-groups of 16384 items' err || fail "the limit is not named"

# The self-test that stands before every training knows local too.
"$dunlin" check --device cpu >out 2>err || fail "check"
grep -q '^gemm local .*passed' out || fail "check does not test local"

cp -r "$source/kernels.cl" "$source/host" .
sed -i 's/left##r = fma(x, b_left, left##r)/left##r = fma(x, b_left, x)/' host/kernels/gemm_reg.cl
cmp -s host/kernels/gemm_reg.cl "$source/host/kernels/gemm_reg.cl" && fail "nothing was broken: change this script"
DUNLIN_KERNELS=kernels.cl measure "reg" || fail "a broken kernel is no crash"
grep -q '"wrong":true' out || fail "a broken kernel is not noticed"
echo "tune measures, compares and refuses"
