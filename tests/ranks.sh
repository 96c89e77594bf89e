#!/usr/bin/env bash
# Ranks over every MPI that is here: trainings, classifications and points of one, two and three ranks are those of a
# plain run, byte for byte, also when they are stopped in the middle and gone on with by another number; what ranks
# disagree in is told, and who falls silent ends the job. Usage: ranks.sh DUNLIN FIXTURES [brief|all]
# brief: two ranks train and classify, for a build with sanitizers; all: every loss, optimiser and kind of point, and
# eight ranks; for by hand.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
what=${3:-short}
most=3
[ "$what" != all ] || most=8

# shellcheck source=tests/ranks_lib.sh
source "$here/ranks_lib.sh"

# ranked MPI N STATUS ARGS...: runs dunlin as N ranks; the launcher ends with that status.
ranked() {
    local mpi=$1 n=$2 wanted=$3 status
    shift 3
    start "$mpi" "$n"
    timeout 300 "${start[@]}" "$dunlin" "$@" <"${input:-/dev/null}" >out 2>err
    status=$?
    [ $status -eq "$wanted" ] || fail "$mpi, $n ranks, dunlin $*: exit status $status, expected $wanted"
}

# same RUN [PLAIN]: what a run leaves of itself.
same() {
    local file
    for file in prompt.safetensors history.jsonl predictions.tsv config.ini; do
        cmp "${2:-plain}/$file" "$1/$file" || fail "$1/$file differs from that of ${2:-plain}"
    done
}

# rank_of RUN RANK: the process of that rank of the job that works on RUN.
rank_of() {
    local process
    for process in $(pgrep -f -- "--out $1\$"); do
        if tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qxE "(OMPI_COMM_WORLD_RANK|PMI_RANK)=$2"; then
            printf '%s\n' "$process"
            return
        fi
    done
}

# begin MPI N RUN ARGS...: a training in the background, $job its launcher, some steps on its way.
begin() {
    local mpi=$1 n=$2 run=$3
    shift 3
    start "$mpi" "$n"
    "${start[@]}" "$dunlin" train -q "$@" --out "$run" >"$run.out" 2>"$run.err" &
    job=$!
    until [ -s "$run/history.jsonl" ] && [ "$(wc -l <"$run/history.jsonl")" -ge 5 ]; do
        kill -0 $job 2>/dev/null || stop "$run: $(cat "$run.err")"
        sleep 0.02
    done
}

# gone RUN: no rank of it is left.
gone() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        pgrep -f -- "--out $1\$" >/dev/null || return
        sleep 0.1
    done
    fail "$1: ranks are left: $(pgrep -fa -- "--out $1\$")"
}

texts 30 >data.tsv
texts 13 'ab a b' 'yz z y' >valid.tsv
tiny_config valid.tsv >config.ini <<'END'
[device]
check = no
[prompt]
init = random
tokens = 3
[train]
epochs = 2
batch_size = 20
[output]
report = no
END
"$dunlin" train -q config.ini --out plain >/dev/null 2>err || stop "the plain run"
share_kernels

if [ "$what" = brief ]; then
    export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # MPIs leave memory behind
    cut -f 1 data.tsv >ask.txt
    ends 0 classify plain ask.txt
    mv out answers
    for mpi in "${mpis[@]}"; do
        ranked "$mpi" 2 0 train -q config.ini --out "$mpi"
        same "$mpi"
        ranked "$mpi" 2 0 classify plain ask.txt
        cmp out answers || fail "$mpi: answers differ"
    done
    finish
    exit 0
fi

# One file of points, one of answers, one table, however many make them.
cut -f 1 data.tsv >ask.txt
ends 0 classify plain ask.txt
mv out answers
ends 0 points plain ask.txt --out points.npy
ends 0 points config.ini --set model.normalize=zscore --out points.npz
ends 0 eval plain
mv out measured
for mpi in "${mpis[@]}"; do
    for ((n = 1; n <= 3; n++)); do
        ranked "$mpi" $n 0 train config.ini --out "$mpi-$n"
        same "$mpi-$n"
        if [ $n -gt 1 ]; then
            says err "ranks     $n on "
            says "$mpi-$n/run.log" "ranks     $n on "
            [ "$(grep -c '^model ' err)" -eq 1 ] || fail "$mpi: not one rank alone tells what it does"
        fi
    done
    ranked "$mpi" 3 0 classify plain ask.txt
    cmp out answers || fail "$mpi: answers differ"
    input=ask.txt ranked "$mpi" 2 0 classify plain
    cmp out answers || fail "$mpi: answers to standard input differ"
    ranked "$mpi" 2 0 points plain ask.txt --out "$mpi.npy"
    cmp points.npy "$mpi.npy" || fail "$mpi: points of a file differ"
    ranked "$mpi" 3 0 points config.ini --set model.normalize=zscore --out "$mpi.npz"
    cmp points.npz "$mpi.npz" || fail "$mpi: points differ"
    ranked "$mpi" 2 0 eval plain
    cmp out measured || fail "$mpi: measured otherwise"
done

# A team of devices, and then ranks that go on with what it began: here one device twice.
one=${mpis[0]} other=${mpis[-1]}
"$dunlin" train -q config.ini --device "$device,$device" --set device.shares=1,1 --out team >/dev/null 2>err || stop "a team"
for file in prompt.safetensors history.jsonl predictions.tsv; do
    cmp plain/$file team/$file || fail "a team of devices: $file differs"
done

# Stopped in the middle and gone on with by more, by fewer and by one; a signal to any rank is one to the job.
long=(config.ini --set train.epochs=60 --set output.checkpoint_every=1 --set train.batch_size=5)
"$dunlin" train -q "${long[@]}" --out long >/dev/null 2>err || stop "the plain long run"
# stopped RANK RUN: sends SIGTERM to a rank of the job that was begun; all of it leaves with 130.
stopped() {
    kill -TERM "$(rank_of "$2" "$1")"
    wait $job
    status=$?
    [ $status -eq 130 ] || fail "$2: SIGTERM to rank $1: status $status, expected 130: $(cat "$2.err")"
    says "$2.err" "and saved; go on with: dunlin train --resume $2"
    gone "$2"
    [ ! -e "$2/metrics.json" ] || fail "$2: was over before it was stopped"
}
begin "$one" 2 middle "${long[@]}"
stopped 1 middle
ranked "$other" 3 0 train -q --resume middle
same middle long
begin "$other" 3 middle2 "${long[@]}"
stopped 0 middle2
ends 0 train -q --resume middle2
same middle2 long

# What ranks disagree in, and what is not there.
start "$one" 1
"${start[@]}" "$dunlin" train config.ini --out a : -n 1 "$dunlin" train config.ini --out b >out 2>err
[ $? -eq 2 ] || fail "two command lines: not refused"
matches err '^dunlin: rank 1 on .* was started with "train config.ini --out b", rank 0 on .* with "train config.ini --out a"'
mkdir -p other/host
cp -r "$here/../kernels.cl" other/
cp -r "$here/../host/kernels" other/host/
printf '\n// another\n' >>other/kernels.cl
"${start[@]}" "$dunlin" train config.ini --out a : -n 1 env DUNLIN_KERNELS="$PWD/other/kernels.cl" \
    "$dunlin" train config.ini --out a >out 2>err
[ $? -eq 2 ] || fail "two texts of kernels: not refused"
matches err '^dunlin: rank 1 on .*: has another text of kernels'
[ ! -e a ] || fail "a job that could not begin leaves a folder"
ranked "$one" 2 2 train --no-such-option
[ "$(grep -c '^dunlin: ' err)" -eq 1 ] || fail "a bad command line: not one rank alone says so"
DUNLIN_MPI=/nowhere/libx.so ranked "$one" 2 1 train config.ini --out a
says err "but there is nothing to speak with its MPI (/nowhere/libx.so"
start "$one" 1
if "${start[@]}" "$dunlin" train config.ini --out a : -n 1 env DUNLIN_MPI=/nowhere/libx.so \
    timeout 60 "$dunlin" train config.ini --out a >out 2>err; then
    fail "a rank without an MPI: not refused"
fi
matches err "^dunlin: .* this is rank 1 of 2, here on $(uname -n), but there is nothing to speak with its MPI"
DUNLIN_RANK_DEADLINE=soon ranked "$one" 2 2 train config.ini --out a
says err "DUNLIN_RANK_DEADLINE = soon: a number of seconds from 2 to 86400 is needed"
layer=$(dirname "$dunlin")/tests/liblayer_hostile.so
if OPENCL_LAYERS=$layer OCL_HOSTILE=gpu "$dunlin" devices --json 2>err | grep -q '"type":"GPU"'; then
    OPENCL_LAYERS=$layer OCL_HOSTILE=gpu ranked "$one" 2 2 train -q config.ini --device 0 --out a
    matches err "^dunlin: ranks 0 and 1 on $(uname -n) have one device, .* start fewer ranks there"
    [ ! -e a ] || fail "two ranks on one GPU: a folder is left"
    OPENCL_LAYERS=$layer OCL_HOSTILE=gpu ranked "$one" 1 0 train -q config.ini --device 0 --out on-a-gpu
else
    echo 'left out: two ranks on one GPU (this OpenCL loader takes no layers)'
fi
DUNLIN_RANKS=off ranked "$one" 2 0 points plain --out apart.npz
[ "$(grep -c '^model ' err)" -eq 2 ] || fail "DUNLIN_RANKS=off: the two are not on their own"

# Who falls silent ends the job, with its name, and nobody is left behind.
for mpi in "${mpis[@]}"; do
    DUNLIN_RANK_DEADLINE=6 begin "$mpi" 3 "silent-$mpi" config.ini --set train.epochs=100000
    kill -STOP "$(rank_of "silent-$mpi" 1)"
    wait $job && fail "$mpi: a rank that was stopped is not missed"
    matches "silent-$mpi.err" '^dunlin: rank 1 on .* has given no sign of life for [0-9]+ s'
    [ "$(grep -c '^dunlin: ' "silent-$mpi.err")" -eq 1 ] || fail "$mpi: not one message: $(cat "silent-$mpi.err")"
    gone "silent-$mpi"
done
if [ "$what" != all ]; then
    finish
    exit 0
fi

# By hand: the rest of what a training may be, each by 2, 3 and 8 ranks.
n_way=0
while read -r -a way; do
    sets=()
    n_way=$((n_way + 1))
    for word in "${way[@]}"; do
        sets+=(--set "${word//\~/ }")
    done
    "$dunlin" train -q config.ini "${sets[@]}" --out "way-$n_way" >/dev/null 2>err || {
        fail "${way[*]}: $(cat err)"
        continue
    }
    share_kernels
    for n in 2 3 8; do
        mpi=${mpis[$((n % ${#mpis[@]}))]}
        ranked "$mpi" $n 0 train config.ini "${sets[@]}" --out "way-$n_way-$n"
        same "way-$n_way-$n" "way-$n_way"
    done
    printf 'same: %s\n' "${way[*]}"
done <<'END'
loss.kind=cross-entropy loss.distance=cosine
loss.kind=centroid loss.distance=squared
loss.kind=attract-repel
loss.margin=1
loss.class_weights=balanced
train.optimizer=adamw train.weight_decay=0.1 train.schedule=cosine train.warmup=2 train.clip=1
train.optimizer=sgd train.momentum=0.9 train.average=0.9
model.point=logits
model.point=logits model.normalize=zscore device.cache_kv=no
model.normalize=unit
model.normalize=center model.layer=2
model.layers=1+last metric.start=lda metric.dimensions=7
centroid.train=no centroid.update=class-mean centroid.repulsion=0.1 centroid.momentum=0.5 centroid.every=2
centroid.start=random
centroid.start=mean
prompt.reparametrize=yes
prompt.placement=prefix
prompt.count=3 model.normalize=unit
prompt.count=2 prompt.placement=prefix
prompt.template="bg~gk:~{text}~so~{soft:3}"
prompt.template="bg~{soft:1}~so~{text}.~{soft:2}"
prompt.init=vocab device.cache_kv=f16
device.gemm=local
device.gemm=naive device.weights=stored
device.weights=f16
device.precision=split
device.cache_budget_mb=1
train.eval_every=2 train.shuffle=no train.batch_size=9
train.shuffle=even train.batch_size=7 data.limit_train=11
data.limit_train=2 data.limit_valid=2
train.keep=best train.patience=1 train.epochs=5
output.calibrate=yes data.valid_share=0.3 data.valid=
loss.label_words=aa,zz train.average=0.5
END
# Several runs in one session, whose batches and points differ: ranks leave and come back with it.
grid=(--sweep "train.batch_size=7,40" --sweep "model.point=hidden,logits")
"$dunlin" train -q config.ini "${grid[@]}" --out grid >/dev/null 2>err || stop "the plain grid: $(cat err)"
ranked "$other" 3 0 train -q config.ini "${grid[@]}" --out grid-3
for run in grid/0*; do
    same "grid-3/${run##*/}" "$run"
done
for file in tiny-b tiny-c; do
    [ -e "$fixtures/$file.gguf" ] || continue
    "$dunlin" train -q config.ini --set "model.path=$fixtures/$file.gguf" --out "$file" >/dev/null || stop "$file"
    share_kernels
    ranked "$one" 8 0 train config.ini --set "model.path=$fixtures/$file.gguf" --out "$file-8"
    same "$file-8" "$file"
    printf 'same: %s\n' "$file"
done
finish
