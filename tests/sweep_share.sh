#!/usr/bin/env bash
# Sweeps that several processes share, on a tiny model: parts and claims, one of them killed, one stopped by a signal,
# claims of other hosts, what failed; the script for Slurm. Usage: sweep_share.sh DUNLIN FIXTURES SOURCE
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3

texts 20 >data.tsv
texts 4 'ab aa bb' 'zy zz yy' >valid.tsv
(short_config valid.tsv 40; printf '[train]\neval_every = 1000000\n') >config.ini
grid=(config.ini --sweep "prompt.lr=1e-3,2e-2" --seeds 2)
last=004-lr=2e-2-seed=2

# table FOLDER: without times, which differ, and the folders' own name.
table() {
    sed "s|$1/|/|g" "$1/sweep.csv" | cut -d, -f1-11,13-
}
# same FOLDER: every run and the table are those of the sweep that one process made.
same() {
    local run
    for run in plain/0*; do
        cmp -s "$run/prompt.safetensors" "$1/${run##*/}/prompt.safetensors" || fail "$1: ${run##*/} has another prompt"
        cmp -s "$run/history.jsonl" "$1/${run##*/}/history.jsonl" || fail "$1: ${run##*/} has another history"
    done
    cmp -s <(table plain) <(table "$1") || fail "$1: another table: $(diff <(table plain) <(table "$1"))"
    [ -s "$1/sweep.json" ] || fail "$1: no sweep.json"
}
# counts N FOLDER STATUS: rows of the table.
counts() {
    [ "$(grep -c ",$3," "$2/sweep.csv")" -eq "$1" ] || fail "$2: not $1 rows are $3: $(cat "$2/sweep.csv")"
}
# begin ARGS...: dunlin train in the background, $pid, which stands still in the middle of a run of `folder`, $run.
begin() {
    local steps
    "$dunlin" train -q "$@" --out "$folder" >begun.out 2>begun.err &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        kill -STOP $pid
        if run=$(grep -l "\"pid\":$pid,.*\"held\":true" "$folder"/0*/.dunlin 2>/dev/null); then
            run=${run%/.dunlin}
            steps=$(wc -l 2>/dev/null <"$run/history.jsonl")
            [ "${steps:-0}" -eq 0 ] || [ "$steps" -gt 200 ] || return
        fi
        kill -CONT $pid
        sleep 0.002
    done
    stop "$folder: nowhere in the middle of a run: $(cat begun.err)"
}
# all_end PID...: they end with 0.
all_end() {
    local one
    for one in "$@"; do wait "$one" || fail "one of $# at once: $(cat err-?)"; done
}
# ended PID STATUS WHAT
ended() {
    wait "$1"
    status=$?
    [ $status -eq "$2" ] || fail "$3: status $status, expected $2: $(cat begun.err)"
}

ends 0 train -q "${grid[@]}" --out plain
counts 4 plain 'done'

# Three at once, one of which is killed; what it had falls to the others, or to who comes next.
tries=()
for i in 1 2 3; do
    "$dunlin" train -q "${grid[@]}" --claim --out three >out-$i 2>err-$i &
    tries+=($!)
done
until grep -qs '"loss"' three/*/history.jsonl; do sleep 0.002; done
kill -KILL "${tries[0]}"
all_end "${tries[@]:1}"
wait "${tries[0]}" 2>/dev/null
ends 0 train -q "${grid[@]}" --claim --out three
same three

# One stands still in a run: the others do all the rest, and say so; once it is killed, the next one goes on with it.
folder=still
begin "${grid[@]}" --claim
tries=()
for i in 1 2; do
    "$dunlin" train -q "${grid[@]}" --claim --out still >out-$i 2>err-$i &
    tries+=($!)
done
all_end "${tries[@]}"
counts 1 still running
counts 3 still 'done'
matches out-1 'running, [01] of 2 done'
kill -KILL "$pid"
wait "$pid" 2>/dev/null
ends 0 report --sweep still
counts 1 still interrupted
ends 0 train "${grid[@]}" --claim --out still
says err "$run: taken over from process $pid"
same still

# Parts: each has its runs; there may be more parts than runs.
tries=()
for i in 1 2 3; do
    "$dunlin" train -q "${grid[@]}" --part $i/3 --out parts >out-$i 2>err-$i &
    tries+=($!)
done
all_end "${tries[@]}"
same parts
ends 0 train -q "${grid[@]}" --part 2/4 --out second
counts 1 second 'done'
counts 3 second 'not run'
[ "$(cd second && echo 0*)" = 002-lr=1e-3-seed=2 ] || fail "part 2/4 has $(ls second)"
ends 0 train -q "${grid[@]}" --part 9/9 --out second
counts 3 second 'not run'
ends 0 train -q "${grid[@]}" --claim --out second
same second

# Slurm's numbers: tasks 10, 13 and 16.
slurm() {
    SLURM_ARRAY_TASK_ID=$1 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_MAX=16 \
        SLURM_ARRAY_TASK_STEP=$2 ends "$3" train -q "${grid[@]}" --part slurm --out array
}
for task in 10 13 16; do slurm $task 3 0; done
same array
slurm 11 3 2
says err 'has no place among the parts'
slurm 10 2 2
slurm x 3 2
says err 'SLURM_ARRAY_TASK_ID is "x"'
ends 2 train -q "${grid[@]}" --part slurm --out array
says err 'SLURM_ARRAY_TASK_ID is not set'

# A signal: what was begun is saved, and gone on with by whoever comes next; SIGUSR1 saves and goes on.
folder=left
begin "${grid[@]}" --claim
kill -TERM "$pid"
kill -CONT "$pid"
ended "$pid" 130 SIGTERM
says begun.err 'interrupted after'
counts 1 left interrupted
ends 0 train -q "${grid[@]}" --claim --out left
grep -q 'taken over' err && fail 'what was given back is taken over'
same left
folder=saved
begin "${grid[@]}" --part 1/1
rm -f "$run/checkpoint"
kill -USR1 "$pid"
kill -CONT "$pid"
ended "$pid" 0 SIGUSR1
says "$run/run.log" 'as asked'
same saved

# The table may be made anew from the folder, and a sweep that one process began is gone on with by others.
cp -r plain begun
rm -r begun/001* begun/$last/metrics.json begun/sweep.*
ends 0 report --sweep begun
matches out '^2e-2 .*interrupted, 1 of 2 done$'
matches out '^1e-3 .*not run, 1 of 2 done$'
ends 0 train -q "${grid[@]}" --claim --out begun
same begun
rm begun/sweep.*
ends 0 report --sweep begun
same begun

# A holder on another host: nobody knows whether it lives, but by its last sign.
cp -r plain far
rm far/$last/metrics.json
record far/$last held=true 'host="far"' 'boot="other"' @now
ends 0 train -q "${grid[@]}" --claim --out far
counts 1 far running
record far/$last '@20 minutes ago'
ends 0 train -q "${grid[@]}" --claim --out far
says err "far/$last: taken over from process"
same far

# A loss that diverges is a result, and not tried again; what fails otherwise is, by the next process.
ends 0 train -q config.ini --sweep prompt.lr=1e-3,1e38 --claim --out wild
counts 1 wild diverged
says wild/002-lr=1e38.json '"status":"diverged"'
before=$(cat wild/002-lr=1e38/run.log)
ends 0 train -q config.ini --sweep prompt.lr=1e-3,1e38 --claim --out wild
[ "$(cat wild/002-lr=1e38/run.log)" = "$before" ] || fail 'a loss that diverged is tried again'
ends 1 train -q config.ini --sweep prompt.lr=1e38,1e37 --claim --out wilder
says err 'the loss of every run diverged'
sed 's/^train = .*/train = later.tsv/' config.ini >later.ini
ends 3 train -q later.ini --seeds 2 --claim --out later
counts 2 later failed
says later/001-seed=1.json '"status":"failed"'
ends 0 report --sweep later
matches out 'failed'
cp data.tsv later.tsv
ends 0 train -q later.ini --seeds 2 --claim --out later
counts 2 later 'done'
[ ! -e later/001-seed=1.json ] || fail 'what failed once is still noted'

# Command lines and folders that cannot be.
for words in '--part 0/3' '--part 4/3' '--part x/y' '--part 1' '--part 1/' '--part 1/3x' '--part 1/99999999999' \
    '--part 1/3 --claim'; do
    # shellcheck disable=SC2086 # words
    ends 2 train "${grid[@]}" $words --out never
done
for words in '--part 1/3' --claim; do
    # shellcheck disable=SC2086
    ends 2 train config.ini $words --out never
    says err 'a single run is not to be shared'
    # shellcheck disable=SC2086
    ends 2 train "${grid[@]}" $words
    says err 'need --out'
    # shellcheck disable=SC2086
    ends 2 train --resume plain/$last $words
    # shellcheck disable=SC2086
    ends 1 train "${grid[@]}" $words --out data.tsv/place
    says err 'data.tsv is not a folder'
done
[ ! -e never ] || fail 'a folder though the command line is wrong'
before=$(find plain -exec cksum {} + 2>&1)
while read -r text; do
    read -r words
    # shellcheck disable=SC2086
    ends 1 train $words --claim --out plain
    says err "plain/plan.json: is of other runs: $text"
done <<'END'
number 3 is 003-lr=2e-2-seed=1 with seed 1, not 003-lr=3e-2-seed=1 with 1
config.ini --sweep prompt.lr=1e-3,3e-2 --seeds 2
of 4, not of 2
config.ini --sweep prompt.lr=1e-3,2e-2
001-lr=1e-3-seed=1 has another config
config.ini --set train.epochs=3 --sweep prompt.lr=1e-3,2e-2 --seeds 2
001-lr=1e-3-seed=1 has another config
later.ini --sweep prompt.lr=1e-3,2e-2 --seeds 2 --set experiment.name=config
END
ends 1 train "${grid[@]}" --out plain
says err 'or go on with these runs: --claim'
[ "$(find plain -exec cksum {} + 2>&1)" = "$before" ] || fail 'what was refused changes the folder'
mkdir strange && touch strange/notes.txt
ends 1 train "${grid[@]}" --claim --out strange
says err 'notes.txt'
[ "$(ls strange)" = notes.txt ] || fail "a folder of others gets $(ls strange)"
cp -r plain held
record held held=true 'host="far"' 'boot="other"' @now
ends 1 train "${grid[@]}" --claim --out held
says err 'on host far works there since'
ends 2 report
ends 2 report --sweep plain plain/$last
ends 2 report --sweep plain --out page.html
ends 3 report --sweep nothing
says err 'nothing: is not the folder of several runs'
for text in '' '{' '[]' '{"keys":[],"values":[],"configs":["c"],"seeds":1,"runs":[{"name":"../x","seed":1,"config":"0"}]}' \
    '{"keys":["prompt.lt"],"values":[["1"]],"configs":["c"],"seeds":1,"runs":[]}' \
    '{"keys":[],"values":[],"configs":["c"],"seeds":2,"runs":[{"name":"x","seed":1,"config":"0"}]}'; do
    mkdir -p damaged && printf %s "$text" >damaged/plan.json
    ends 3 report --sweep damaged
    ends 3 train "${grid[@]}" --claim --out damaged
done
cp -r plain unread && echo '{' >unread/$last/metrics.json
ends 0 report --sweep unread
counts 1 unread failed
says unread/sweep.csv "unread/$last/metrics.json:"

# The script for Slurm, with what it calls.
mkdir bin
printf '#!/bin/sh\necho "$*" >>%s/requeued\n' "$work" >bin/scontrol
chmod +x bin/scontrol
# job SIGNAL STATUS: a task in the middle of a run gets the signal; leaves $folder.
job() {
    folder=job-$1
    SLURM_JOB_ID=77 DUNLIN=$dunlin PATH=$work/bin:$PATH bash "$source/docs/slurm-sweep.sh" "$folder" "${grid[@]}" \
        -q >job.out 2>begun.err &
    pid=$!
    until grep -qs '"loss"' "$folder"/*/history.jsonl; do
        kill -0 $pid 2>/dev/null || stop "$folder: $(cat begun.err)"
        sleep 0.002
    done
    # Slurm may end all of a task: dunlin then hears it twice, of which the second must not be of the same kind.
    # shellcheck disable=SC2046 # words
    [ "$1" = USR1 ] || kill -TERM $(cat /proc/$pid/task/$pid/children)
    kill "-$1" $pid
    ended $pid "$2" "the script for Slurm, $1"
}
job TERM 130
[ ! -e requeued ] || fail 'a task that is cancelled comes again'
job USR1 0
same job-USR1
[ ! -e requeued ] || fail 'a task that goes on comes again'
job USR2 130
[ "$(cat requeued)" = 'requeue 77' ] || fail 'a task whose time is over does not come again'
DUNLIN=$dunlin bash "$source/docs/slurm-sweep.sh" job-USR2 "${grid[@]}" -q >out 2>err || fail 'it does not go on'
same job-USR2
bash "$source/docs/slurm-sweep.sh" job-none >out 2>err
[ $? -eq 2 ] || fail 'the script for Slurm without a config'

finish
echo "all as expected"
