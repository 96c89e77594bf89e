#!/usr/bin/env bash
# A run that is killed with SIGKILL, again and again at random points, and resumed each time ends in the same
# bytes as one that nobody disturbed; Ctrl-C saves, a damaged checkpoint falls back to the one before it, and
# one of another config is refused. Usage: resume.sh DUNLIN FIXTURES [KILLS]
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
kills=${3:-50}

texts 40 >data.tsv
tiny_config data.tsv >config.ini <<'END'
[prompt]
init = random
tokens = 3
[train]
epochs = 6
batch_size = 5
eval_every = 7
[output]
checkpoint_every = 3
END

# Everything that has a state of its own: moments and velocities, the schedule, an average, fitted constants.
cat >rich.ini <<END
include = config.ini
[model]
normalize = zscore
[centroid]
train = no
update = class-mean
momentum = 0.5
every = 2
repulsion = 0.1
[loss]
kind = attract-repel
[train]
optimizer = sgd
momentum = 0.9
schedule = cosine
warmup = 5
clip = 1
average = 0.9
END

# A metric that was fitted and is trained, of points of two blocks.
cat >metric.ini <<END
include = config.ini
[model]
layers = 1+last
normalize = zscore
[metric]
start = lda
dimensions = 5
[train]
average = 0.9
keep = best
END

# same_result RUN [UNDISTURBED]
same_result() {
    local file
    for file in prompt.safetensors history.jsonl predictions.tsv config.ini trajectory projection.safetensors; do
        cmp "${2:-undisturbed}/$file" "$1/$file" || stop "$1/$file differs from the undisturbed run's"
    done
}

"$dunlin" train -q rich.ini --out undisturbed-rich >/dev/null || stop "the undisturbed run with every state"
"$dunlin" train -q metric.ini --out undisturbed-metric >/dev/null || stop "the undisturbed run with a metric"
begin=$(date +%s%N) # its kernels are compiled now: kills are to fall into what is as long as this
"$dunlin" train -q config.ini --out undisturbed >/dev/null || stop "the undisturbed run"
span_us=$((($(date +%s%N) - begin) / 1000))

# go RUN CONFIG: begins a run, or goes on with it.
go() {
    if [ -f "$1/config.ini" ]; then
        exec "$dunlin" train -q --resume "$1"
    else
        exec "$dunlin" train -q "$2" --out "$1"
    fi
}

# Kills spread over the whole length of a run; the sleeps only choose where, nothing is measured by them.
RANDOM=7
killed=0
chain=0
while [ $killed -lt "$kills" ]; do
    run=chain-$((++chain))
    case $((chain % 3)) in
        0) config=metric.ini like=undisturbed-metric ;;
        1) config=config.ini like=undisturbed ;;
        *) config=rich.ini like=undisturbed-rich ;;
    esac
    for _ in 1 2 3; do
        (go $run $config) >/dev/null 2>&1 &
        pid=$!
        delay=$((span_us * (RANDOM % 1000) / 1000))
        sleep "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))"
        if kill -9 $pid 2>/dev/null; then
            killed=$((killed + 1))
        fi
        wait $pid 2>/dev/null
    done
    if [ ! -f $run/metrics.json ]; then
        (go $run $config) >/dev/null 2>err || stop "resuming $run: $(cat err)"
    fi
    same_result $run $like
done
printf '%d kills in %d runs, every result the same\n' $killed $chain

# Ctrl-C: the run says how to go on, and with what status it left.
"$dunlin" train -q config.ini --set train.epochs=2000 --out interrupted >/dev/null 2>err &
pid=$!
comes $pid err [ -s interrupted/history.jsonl ]
interrupts $pid
grep -q 'go on with: dunlin train --resume interrupted' err || stop "Ctrl-C does not say how to go on: $(cat err)"

# Damage: the checkpoint before it serves; with both damaged, one clear line.
"$dunlin" train -q config.ini --out damaged >/dev/null || stop "the run to damage"
rm damaged/metrics.json
printf 'X' | dd of=damaged/checkpoint bs=1 seek=500 conv=notrunc status=none
"$dunlin" train -q --resume damaged >/dev/null 2>err || stop "a damaged checkpoint: $(cat err)"
grep -q 'warning: damaged/checkpoint: the checksum' err || stop "no warning of the damage: $(cat err)"
same_result damaged
rm damaged/metrics.json
for file in checkpoint checkpoint.previous; do
    printf 'X' | dd of=damaged/$file bs=1 seek=500 conv=notrunc status=none
done
"$dunlin" train -q --resume damaged >/dev/null 2>err
[ $? -eq 3 ] || stop "two damaged checkpoints do not give status 3"
printf 'cut' >damaged/checkpoint.previous
"$dunlin" train -q --resume damaged >/dev/null 2>err
[ $? -eq 3 ] || stop "a cut checkpoint does not give status 3"
grep -q 'is not a checkpoint of dunlin' err || stop "a cut checkpoint: $(cat err)"

# Another config, model or device.
"$dunlin" train -q config.ini --out other >/dev/null || stop "the run to change"
rm other/metrics.json
"$dunlin" train -q --resume other --set prompt.lr=0.5 >/dev/null 2>err
[ $? -eq 3 ] || stop "a changed config does not give status 3"
grep -q 'belongs to config' err || stop "a changed config: $(cat err)"
"$dunlin" train -q --resume other --set "model.path=$fixtures/tiny-b.gguf" >/dev/null 2>err
[ $? -eq 3 ] || stop "another model does not give status 3"
grep -q 'belongs to model' err || stop "another model: $(cat err)"
"$dunlin" train -q config.ini --out other >/dev/null 2>err
[ $? -eq 1 ] || stop "a run directory is overwritten"
printf 'all good\n'
