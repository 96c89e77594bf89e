#!/usr/bin/env bash
# device.weights from outside: what is trained, told and measured on weights as they lie in the file is, byte for byte,
# what float32 gives, with every way to multiply; the choice of auto is written down and kept; too little memory is told
# before loading. Usage: weights.sh DUNLIN FIXTURES SOURCE
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3

texts 6 >data.tsv
texts 2 >valid.tsv
cut -f 1 valid.tsv >lines.txt
cat >job.ini <<INI
[device]
use = $device
check = no
[data]
train = data.tsv
valid = valid.tsv
max_length = 24
[prompt]
init = vocab
lr = 0.02
[train]
epochs = 2
batch_size = 5
[output]
report = no
INI

# Matrices in two formats by turns, so that the slots of one product differ; a width that is no multiple of 256, and so
# other formats.
"$source/tools/random-model" k.gguf --layers 3 --width 256 --heads 4 --kv-heads 2 --ffn 512 --vocab 300 \
    --type Q4_K,Q6_K,Q5_K 2>/dev/null || stop 'no random model'
"$source/tools/random-model" k2.gguf --layers 2 --width 256 --heads 4 --kv-heads 4 --ffn 256 --vocab 333 --untied \
    --type Q2_K,Q3_K,IQ4_XS,F16 2>/dev/null || stop 'no random model'
"$source/tools/random-model" b.gguf --layers 2 --width 96 --heads 6 --kv-heads 3 --ffn 160 --vocab 301 \
    --type Q4_0,Q5_1,Q8_0,Q5_0,IQ4_NL,Q4_1,F32 2>/dev/null || stop 'no random model'

# learn NAME MODEL WEIGHTS GEMM [OPTIONS...]: trains, and lets the run tell classes and write points.
learn() {
    local name=$1 model=$2 weights=$3 gemm=$4
    shift 4
    ends 0 train job.ini --out "$name" --set "model.path=$model" --set "device.weights=$weights" \
        --set "device.gemm=$gemm" "$@"
    grep '^weights' err >"$name.said"
    ends 0 classify "$name" lines.txt --json
    mv out "$name.answers"
    ends 0 points "$name" --out "$name.points"
}
# alike A B: two runs ended in the same bytes.
alike() {
    local file
    for file in prompt.safetensors predictions.tsv; do
        cmp -s "$1/$file" "$2/$file" || fail "$1/$file and $2/$file differ"
    done
    cmp -s "$1.answers" "$2.answers" || fail "the answers of $1 and $2 differ"
    cmp -s "$1.points" "$2.points" || fail "the points of $1 and $2 differ"
}
# both NAME MODEL GEMM [OPTIONS...]: stored and float32.
both() {
    local name=$1 model=$2 gemm=$3
    shift 3
    learn "$name-f32" "$model" f32 "$gemm" "$@"
    learn "$name-stored" "$model" stored "$gemm" "$@"
    alike "$name-f32" "$name-stored"
}

# Every way to multiply on the first; points that are logits, of a table that is the head too and of a head of its own.
for gemm in reg local naive; do
    both "k-$gemm" k.gguf "$gemm"
done
says k-reg-stored.said 'weights   stored: asked for by device.weights'
says k-reg-f32.said 'weights   f32: asked for by device.weights'
both tied k.gguf reg --set model.point=logits
both own k2.gguf local --set model.point=logits
both blocks b.gguf reg
both blocks-local b.gguf local
# Folders: GPT-2's matrices are turned, Gemma's table has a scale, and Llama's heads are in another order than GGUF's.
for name in gpt2 gemma llama falcon_groups; do
    both "$name" "$fixtures/families/$name/hf" reg
done

# Halves are another model, but not far from it.
for gemm in reg local naive; do
    learn "half-$gemm" k.gguf f16 "$gemm"
    differ "half-$gemm/prompt.safetensors" "k-$gemm-f32/prompt.safetensors" "f16 with $gemm rounds nothing"
    for name in "half-$gemm" "k-$gemm-f32"; do
        grep -o '"label":"[a-z]*"' "$name.answers" >"$name.labels"
    done
    cmp -s "half-$gemm.labels" "k-$gemm-f32.labels" || fail "f16 with $gemm tells other classes"
done

# The choice of auto is written down. A run that is interrupted goes on in the form that its config has.
learn auto k.gguf auto auto
matches auto.said '^weights   f32: both copies as f32 take [0-9]+ MB, less than half of the [0-9]+ MB free of this'
matches auto/config.ini '^weights = f32$'
alike auto k-reg-f32
long=(--quiet --set model.path=b.gguf --set train.epochs=120 --set output.checkpoint_every=1)
ends 0 train job.ini --out whole "${long[@]}" --set device.weights=f32
"$dunlin" train job.ini --out short "${long[@]}" --set device.weights=stored >out 2>err &
pid=$!
comes $pid err [ -s short/history.jsonl ]
interrupts $pid
ends 0 train --resume short
says short/run.log 'weights   stored: asked for by device.weights'
for file in prompt.safetensors predictions.tsv; do
    cmp -s "short/$file" "whole/$file" || fail "$file: a run on stored weights that went on ends unlike one on floats"
done

# Little memory, which `ulimit -m` claims: what is free besides this process decides.
"$source/tools/random-model" large.gguf --layers 8 --width 512 --heads 8 --kv-heads 4 --ffn 2048 --vocab 4000 \
    --type Q4_K 2>/dev/null || stop 'no random model'
# limited MB STATUS ARGS...: trains on it where resident memory is bounded.
limited() {
    local mb=$1 status=$2
    shift 2
    (ulimit -m $((mb * 1000000 / 1024)) && "$dunlin" train job.ini --set model.path=large.gguf --set train.epochs=1 "$@") \
        >out 2>err </dev/null
    [ $? -eq "$status" ] || fail "training with $mb MB: not status $status"
}
limited 4000 0 --out roomy --set device.weights=auto
free=$(sed -n 's/^weights .* \([0-9]*\) MB free of this computer$/\1/p' err)
f32=$(sed -n 's/^weights .*as f32 take \([0-9]*\) MB.*/\1/p' err)
matches roomy/config.ini '^weights = f32$'
if [ "${free:-0}" -lt 2000 ]; then
    printf 'of 4000 MB %s are free: not tried with less\n' "${free:-none}"
    finish
    exit 0
fi
own=$((4000 - free))
limited $((own + f32 * 3 / 2)) 0 --out tight --set device.weights=auto
matches err "^weights   stored: both copies as f32 take $f32 MB, more than half of the [0-9]+ MB free of this computer"
matches tight/config.ini '^weights = stored$'
limited $((own + f32 * 3 / 4)) 4 --out tighter --set device.weights=f32
matches err "take $f32 MB as f32, and this computer has [0-9]+ MB free; what fits is device.weights = f16 \([0-9]+ MB\)"
matches err ', device.weights = stored \([0-9]+ MB\)'
[ ! -e tighter ] || fail 'a run that was refused left a folder'
# Products that read floats alone.
ends 2 train job.ini --out refused --set model.path=k.gguf --set device.gemm=clblast --set device.weights=stored
says err 'GEMM clblast reads weights as floats alone'
[ ! -e refused ] || fail 'a run that was refused left a folder'
finish
