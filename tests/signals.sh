#!/usr/bin/env bash
# What signals do to a training and to other commands, as an ordinary process and as the first one of a container,
# which is spared their default effects. Usage: signals.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

texts 40 >data.tsv
(short_config data.tsv 100000; printf '[train]\neval_every = 1000000\n') >config.ini

first=()
unshare --pid --fork true 2>/dev/null && first=(unshare --pid --fork --kill-child)

# begin RUN WRAPPER...: a training in the background, $pid its process here, at least a step on its way.
begin() {
    local run=$1
    shift
    "$@" "$dunlin" train -q config.ini --out "$run" >"$run.out" 2>"$run.err" &
    pid=$!
    comes $pid "$run.err" [ -s "$run/history.jsonl" ]
    if [ "${1:-}" = unshare ]; then # what it was started by forks it
        pid=$(cat "/proc/$pid/task/$pid/children")
        pid=${pid% }
    fi
}

# was_saved RUN: as asked.
was_saved() {
    [ -s "$1/checkpoint" ] && grep -q 'saved     step [0-9]*, as asked' "$1/run.log"
}

# leaves SIGNAL WRAPPER...: the signal ends the training with 130, saved.
leaves() {
    local signal=$1 run=leaves-$1-${2:-plain} job
    shift
    begin "$run" "$@"
    job=$!
    kill "-$signal" "$pid"
    wait $job
    status=$?
    [ $status -eq 130 ] || fail "$run: status $status, expected 130: $(cat "$run.err")"
    says "$run.err" "and saved; go on with: dunlin train --resume $run"
    [ -s "$run/checkpoint" ] || fail "$run: no checkpoint"
}

# goes_on NAME SIGNALS WRAPPER...: none of the signals ends the training; a checkpoint is made if USR1 is among them.
goes_on() {
    local run=goes-on-$1 signals=$2 signal job
    shift 2
    begin "$run" "$@"
    job=$!
    rm -f "$run/checkpoint"
    for signal in $signals; do kill "-$signal" "$pid"; done
    [[ " $signals " != *" USR1 "* ]] || comes $job "$run.err" was_saved "$run"
    comes $job "$run.err" longer "$run/history.jsonl" "$(stat -c %s "$run/history.jsonl")"
    kill -TERM "$pid"
    wait $job
    status=$?
    [ $status -eq 130 ] || fail "$run: status $status after all, expected 130"
}

for signal in INT TERM HUP; do
    leaves $signal
    [ ${#first[@]} -eq 0 ] || leaves $signal "${first[@]}"
done
goes_on once USR1
goes_on thrice 'USR1 USR1 USR1'
goes_on nohup HUP nohup
goes_on nohup-and-saved 'HUP USR1' nohup
[ ${#first[@]} -eq 0 ] || goes_on first-once USR1 "${first[@]}"

# A wish that comes while the texts are run is answered after the first step: the run starts with it pending.
sed 's/^epochs = .*/epochs = 2/' config.ini >short.ini
"$dunlin" train -q short.ini --out early >early.out 2>early.err &
pid=$!
comes $pid early.err [ -s early/config.ini ]
kill -USR1 $pid 2>/dev/null
wait $pid || fail "early: $(cat early.err)"
[ -s early/metrics.json ] || fail 'early: not finished'

# Of a training in a sweep, all end, and the status is the same.
"$dunlin" train -q config.ini --sweep prompt.lr=0.01,0.02 --out sweep >sweep.out 2>sweep.err &
pid=$!
comes $pid sweep.err compgen -G 'sweep/*/history.jsonl' >/dev/null
kill -HUP $pid
wait $pid
status=$?
[ $status -eq 130 ] || fail "sweep: status $status, expected 130"

# Twice the same one ends it at once, as the signal: 128 and its number, also as the first process. What waits for
# something else must not hold it up, so the second comes while the first is on its way or has just been answered.
for wrapper in '' ${first:+"${first[*]}"}; do
    # shellcheck disable=SC2086 # words of a command
    begin "twice-${wrapper:0:7}" $wrapper
    job=$!
    kill -TERM "$pid" && kill -TERM "$pid" 2>/dev/null
    wait $job
    status=$?
    [ $status -eq 143 ] || [ $status -eq 130 ] || fail "twice: status $status"
done

# takes_signals PROCESS: its child $pid is dunlin, and hears all of them.
takes_signals() {
    pid=$(cat "/proc/$1/task/$1/children" 2>/dev/null) && [ -n "$pid" ] &&
        [ "$(readlink "/proc/${pid% }/exe")" = "$(readlink -f "$dunlin")" ] &&
        grep -q '^SigCgt.*[67ef].[0-9a-f][7f]$' "/proc/${pid% }/status"
}
# Other commands, waiting for a text that does not come, are ended by a signal as the first process as well.
sed 's/^epochs = .*/epochs = 1/' config.ini >one.ini
ends 0 train -q one.ini --out whole
mkfifo silent
sleep 1000 >silent &
holder=$!
if [ ${#first[@]} -gt 0 ]; then
    for signal in INT TERM HUP QUIT; do
        "${first[@]}" "$dunlin" classify whole - <silent >out 2>err &
        job=$!
        comes $job err takes_signals $job
        kill "-$signal" "${pid% }"
        wait $job
        status=$?
        [ $status -eq $((128 + $(kill -l $signal))) ] || fail "classify as the first process: $signal: status $status"
    done
fi
kill $holder

[ ${#first[@]} -gt 0 ] || echo "left out: the first process of a container (no unshare --pid here)"
finish
echo "all as expected"
