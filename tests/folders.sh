#!/usr/bin/env bash
# Folders for output: what holds other files, or cannot be written, is refused by name before anything is read, by every
# command; a run has one process that works on it, which is named; who was killed is taken over.
# Usage: folders.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

texts 10 >data.tsv
texts 4 'ab aa bb' 'zy zz yy' >valid.tsv
short_config valid.tsv 1 >config.ini
ends 0 train -q config.ini --out whole

# A model and texts that cannot be read: who says that has looked at the folder too late.
echo 'no model' >broken.gguf
sed -e 's/^path = .*/path = broken.gguf/' -e 's/^train = .*/train = nothing.tsv/' config.ini >broken.ini
cp -r whole broken
sed 's/^path = .*/path = broken.gguf/' whole/config.ini >broken/config.ini
printf '[boids]\nstart = nothing.txt\n' >boids.ini
printf '[boids]\nsteps = 2\n' >flock.ini

# place WORD: what stands at `place`.
place() {
    rm -rf place
    case $1 in
        none) ;;
        empty) mkdir place ;;
        dots) mkdir place && touch place/.gitkeep ;;
        strange) mkdir place && echo mine >place/notes.txt ;;
        folders) mkdir -p place/b place/a ;;
        run) cp -r whole place ;;
        old) cp -r whole place && rm place/.dunlin ;;
        begun) cp -r whole place && rm place/metrics.json ;;
        sweep) mkdir place && touch place/sweep.json ;;
        file) echo mine >place ;;
        link) ln -s nowhere place ;;
    esac
}
# refused WORD STATUS TEXT ARGS...: what stands there stays as it is.
refused() {
    local word=$1 status=$2 text=$3 before
    shift 3
    place "$word"
    before=$(find place -exec cksum {} + 2>&1)
    ends "$status" "$@"
    says err "$text"
    [ "$(find place -exec cksum {} + 2>&1)" = "$before" ] || fail "$word: dunlin $*: the place is not as it was"
}

# Folders of several files. The words behind a colon are said.
writers=(
    'train broken.ini --out place'
    'train broken.ini --set output.dir=place'
    'train broken.ini --out place --sweep prompt.lr=1e-3,1e-2'
    'train broken.ini broken.ini --out place'
    'boids boids.ini --out place'
    'compare broken.ini --out place'
    'export broken --format peft --out place'
)
for writer in "${writers[@]}"; do
    for case in strange:notes.txt 'folders:a and others' 'run:never overwritten' 'old:never overwritten' \
        'begun:never overwritten' 'sweep:sweep.json\|never overwritten' 'file:place: is not a folder' \
        'link:place: is a link to nothing'; do
        # shellcheck disable=SC2086 # words of a command
        refused "${case%%:*}" 1 'place: ' $writer
        grep -q "${case#*:}" err || fail "$writer: ${case%%:*}: $(cat err)"
    done
    below=${writer/ place/ data.tsv\/place}
    # shellcheck disable=SC2086
    refused none 1 'data.tsv is not a folder' ${below/=place/=data.tsv\/place}
done
for folder in none empty dots; do
    for command in train boids; do
        place $folder
        [ $command = train ] && ends 0 train -q config.ini --out place
        [ $command = boids ] && ends 0 boids flock.ini --device "$device" --out place
        [ -s place/metrics.json ] || fail "$command into $folder"
    done
    place $folder
    ends 0 export whole --format peft --out place
    [[ -s place/adapter_config.json && ! -e place/.dunlin ]] || fail "export into $folder: $(ls -A place)"
done
refused none 2 'two of the runs have output.dir = place' train broken.ini broken.ini --set output.dir=place
[ ! -e place ] || fail 'two runs of one folder: it is made'

# A start that fails behind the claim leaves what was there before, and nothing else. Where one has begun, it stays.
# in_vain STATUS WORD COMMAND: what stands at `place` or below.
in_vain() {
    local status=$1 word=$2 before
    shift 2
    place "$word"
    rm -rf runs
    before=$(ls -A . place 2>/dev/null)
    ends "$status" "$@"
    [ "$(ls -A . place 2>/dev/null)" = "$before" ] || fail "$word: dunlin $*: leaves $(find . -name place) $(ls -A place)"
}
late=(--set prompt.tokens=4000)
for word in none empty dots; do
    in_vain 2 $word train -q config.ini --out place "${late[@]}"
    in_vain 2 $word train -q config.ini --out place/deep//er/ "${late[@]}"
    in_vain 2 $word train -q config.ini --out place --seeds 2 "${late[@]}"
    in_vain 3 $word train -q broken.ini --out place --sweep prompt.lr=1e-3,1e-2
    in_vain 4 $word compare config.ini --out place --device nothing
done
in_vain 2 none train -q config.ini "${late[@]}"
in_vain 2 none train -q config.ini --seeds 2 "${late[@]}"
in_vain 4 none compare config.ini --device nothing
place none
ends 1 train -q config.ini --out place --set prompt.lr=1e38
says err 'training stopped'
[ -s place/run.log ] || fail "a training that diverged leaves no log"

# init: the user's data may lie there.
refused strange 1 notes.txt init place --data nothing.tsv
refused folders 1 'a and others' init place --data nothing.tsv
refused run 1 config.ini init place --data nothing.tsv
refused file 1 'place: is not a folder' init place --data nothing.tsv
refused link 1 'is a link to nothing' init place --data nothing.tsv
place empty
cp data.tsv place/texts.tsv
ends 0 init place --data place/texts.tsv --model "$fixtures/tiny-a.gguf"
place dots
ends 0 init place --data data.tsv --model "$fixtures/tiny-a.gguf"

# Single files.
for case in 'empty:place: ' 'file/x:place' 'none/x:place/x: '; do
    for writer in 'points broken.ini' 'points broken' 'export broken --format npz' 'report broken'; do
        word=${case%%:*}
        # shellcheck disable=SC2086
        refused "${word%/x}" 1 "${case#*:}" $writer --out "place${word#"${word%/x}"}"
    done
done
# A comparison reads what it is to stand beside before it runs anything.
refused none 3 'nothing.json' compare config.ini --baseline nothing.json --out place
[ ! -e place ] || fail 'compare: a folder though the baseline is not there'

# begin RUN ARGS...: a training that does not end, $pid; a step on its way.
begin() {
    "$dunlin" train -q config.ini --set train.epochs=1000000 --out "$@" >begun.out 2>begun.err &
    pid=$!
    comes $pid begun.err [ -s "$1/checkpoint" ]
}
# end WORD: ends it, by a signal.
end() {
    kill "-$1" "$pid"
    wait "$pid" 2>/dev/null
}
# goes_on RUN: --resume goes on with it, until it is stopped.
goes_on() {
    local size status
    size=$(stat -c %s "$1/history.jsonl")
    "$dunlin" train -q --resume "$1" >out 2>err &
    pid=$!
    comes $pid err longer "$1/history.jsonl" "$size"
    kill -TERM $pid
    wait $pid
    status=$?
    [ $status -eq 130 ] || fail "--resume $1: status $status: $(cat err)"
}

# While it is trained, nobody else may; to read it needs no claim.
begin busy
for command in '--resume busy' 'config.ini --out busy' 'config.ini --out busy --seeds 2'; do
    # shellcheck disable=SC2086
    ends 1 train -q $command
    says err "busy: process $pid on this host, $(hostname), works there since "
done
ends 3 report busy
says err 'no metrics.json'
end TERM
says begun.err 'go on with: dunlin train --resume busy'
says busy/.dunlin '"held":false'
goes_on busy
grep -q 'taken over' err && fail 'a run that was given back is taken over'

# Killed: the next one takes it over, and says so; of several at once, one.
for round in 1 2 3; do
    begin killed-$round
    end KILL
    says killed-$round/.dunlin '"held":true'
    touch "killed-$round/report.html.tmp$pid-0badcafe" "killed-$round/notes.tmp1x"
    tries=()
    for i in 1 2 3; do
        "$dunlin" train -q --resume killed-$round >out-$i 2>err-$i &
        tries+=($!)
    done
    until [ "$(grep -l 'works there since' err-? | wc -l)" -eq 2 ]; do
        [ "$(jobs -r | wc -l)" -gt 0 ] || break
        sleep 0.01
    done
    kill -TERM "${tries[@]}" 2>/dev/null
    left=0
    for try in "${tries[@]}"; do
        wait "$try"
        status=$?
        [ $status -eq 1 ] || left=$((left + 1))
    done
    [ $left -eq 1 ] || fail "killed-$round: $left of 3 went on: $(cat err-?)"
    [ "$(find killed-$round -name '*.tmp*')" = killed-$round/notes.tmp1x ] ||
        fail "killed-$round: what it was writing stays: $(ls killed-$round)"
    says <(cat err-?) "killed-$round: taken over from process $pid on host $(hostname)"
done

# Begun at once in one folder: one has it.
for word in none empty; do
    place $word
    tries=()
    for i in 1 2 3 4; do
        "$dunlin" train -q config.ini --set "experiment.seed=$i" --set train.epochs=30 --out place >out-$i 2>err-$i &
        tries+=($!)
    done
    good=0
    for try in "${tries[@]}"; do wait "$try" && good=$((good + 1)); done
    [ $good -eq 1 ] || fail "$word: $good of 4 trained there: $(cat err-?)"
    [ "$(cat err-? | grep -cE '^dunlin: place: (process [0-9]+ on this host|holds a run already)')" -eq 3 ] ||
        fail "$word: the others are not told why: $(cat err-?)"
    [ "$(grep -c '"loss"' place/history.jsonl)" -eq 120 ] || fail "$word: history.jsonl is not that of one training"
done

begin kept
end TERM
# Each a record, and whether --resume refuses it, goes on, or goes on and says that it took over.
for row in 'held=true host="far" boot="other" @now|refuses' \
    'held=true host="far" boot="other" @5minutes-ago|refuses' \
    'held=true host="far" boot="other" @20minutes-ago|takes over' \
    'held=false host="far" boot="other" @now|goes on' \
    "held=true pid=$$ start=1 @now|takes over" \
    'held=true boot="before" @now|refuses' \
    'held=true boot="before" @20minutes-ago|takes over' \
    'held=true pid=999999999 host="a-container" pids="other" @now|takes over'; do
    read -ra changes <<<"${row%|*}"
    rm -rf copy && cp -r kept copy
    record copy "${changes[@]/minutes-ago/ minutes ago}"
    case ${row#*|} in
        refuses)
            ends 1 train -q --resume copy
            matches err "on host (far|$(hostname)) works there since"
            says err 'copy/.dunlin'
            rm copy/.dunlin # as the message says
            goes_on copy
            ;;
        'takes over') goes_on copy && says err 'copy: taken over from process' ;;
        *)
            goes_on copy
            ! grep -q 'taken over' err || fail "${row%|*}: $(cat err)"
            ;;
    esac
done
# One of 0.1 has no mark, and gets one; a damaged mark is nobody's to overwrite.
rm -rf copy && cp -r kept copy && rm copy/.dunlin
goes_on copy
[ -s copy/.dunlin ] || fail 'no mark after --resume'
echo 'my own' >copy/.dunlin
ends 1 train -q --resume copy
says err 'copy/.dunlin: is not what dunlin writes there'
# A config alone is no run, and a finished one needs no claim.
mkdir only && cp config.ini only
ends 2 train -q --resume only
says err 'no run was begun there'
[ "$(ls -A only)" = config.ini ] || fail "--resume of no run leaves $(ls -A only)"
ends 0 train --resume whole
says err 'is complete'

# A holder that was taken over while it stood still stops at its next step.
begin asleep
kill -STOP $pid
record asleep 'host="far"' 'boot="other"' pid=7
kill -CONT $pid
wait $pid
[ $? -eq 1 ] || fail 'who was taken over goes on'
says begun.err 'process 7 on host far took the folder over'
says asleep/.dunlin '"pid":7'

finish
echo "all as expected"
