#!/usr/bin/env bash
# dunlin tune's measuring process on a model made by tools/random-model: right candidates are measured, a broken
# kernel makes one wrong, one that does not fit is refused, and a whole quick tune leaves a row that is used.
# Usage: tune.sh DUNLIN SOURCE
set -euo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
source=$2
export DUNLIN_CACHE=$work/cache

"$source/tools/random-model" model.gguf --layers 1 --width 64 --heads 4 --kv-heads 2 --ffn 96 --vocab 300 2>/dev/null
echo "the tune" | "$dunlin" tokenize --model model.gguf >out 2>err || stop "the model's tokenizer"

measure() {
    "$dunlin" tune --model model.gguf --device cpu --quick --reference reference --measure "$1" >out 2>err
}
measure "naive WG=1 VW=4 ATT_WG=1" || stop "the reference is not made"
[ -s reference ] || stop "there is no reference"
measure "reg" || stop "reg is not measured"
grep -q '"text_s":[0-9.e-]*,"step_s":[0-9.e-]*,"off":[0-9.e-]*}' out || stop "an answer that is not whole"
measure "local WG=16 ATT_WG=16" || stop "local is not measured"
grep -q wrong out && stop "local is wrong"
if measure "local TS_M=128 TS_N=128 WPT_M=1 WPT_N=1 TS_VW=1"; then stop "work-groups of 16384 items"; fi
grep -q 'work-groups of 16384 items' err || stop "the limit is not named"

# The self-test that stands before every training knows local too.
"$dunlin" check --quick --device cpu >out 2>err || stop "check"
grep -q '^gemm local .*passed' out || stop "check does not test local"

cp -r "$source/kernels.cl" "$source/host" .
sed -i 's/left##r = fma(x, b_left, left##r)/left##r = fma(x, b_left, x)/' host/kernels/gemm_reg_tile.cl
cmp -s host/kernels/gemm_reg_tile.cl "$source/host/kernels/gemm_reg_tile.cl" && stop "nothing was broken: change this script"
DUNLIN_KERNELS=kernels.cl measure "reg" || stop "a broken kernel is no crash"
grep -q '"wrong":true' out || stop "a broken kernel is not noticed"

# What the compiler says of kernels that do not compile is in the table and in the message.
sed -i '$a #error broken on purpose' host/kernels/*.cl
if DUNLIN_KERNELS=kernels.cl "$dunlin" tune --model model.gguf --device cpu --quick >out 2>err; then
    stop "kernels that do not compile are tuned"
fi
grep -q '^naive .*exit code 4: .*broken on purpose' out || stop "the table has nothing of what the compiler says"
grep -q 'even the plainest kernels do not run (exit code 4: .*broken on purpose' err || stop "no word of the compiler"
echo "tune measures, compares and refuses"
