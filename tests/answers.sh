#!/usr/bin/env bash
# What a training offers beyond its steps, from outside: validation texts that are split off and stay the same ones.
# Usage: answers.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

texts 20 >data.tsv
short_config '' 2 >config.ini
share=(--set data.valid_share=0.25)

# column FILE N: a column of a table without its head.
column() {
    tail -n +2 "$1" | cut -f "$2"
}
# number KEY FILE: of a JSON object's first KEY.
number() {
    grep -oE "\"$1\": ?-?[0-9.e+-]+" "$2" | head -1 | grep -oE '[-0-9.e+]+$'
}

# A quarter of each class, said and recorded, and nothing of it trained on: the same bytes as of two files.
ends 0 train config.ini --out split "${share[@]}"
says err 'data      10 of 40 training texts are split off to validate with: high 5, low 5 (data.valid_share = 0.25, seed 1)'
says out 'on 10 validation texts'
column split/predictions.tsv 1 | paste -sd, >lines
grep -oE '"lines":\[[0-9,]*\]' split/split.json | tr -cd '0-9,\n' >recorded
cmp -s lines recorded || fail "split.json has lines $(cat recorded), measured were $(cat lines)"
awk -v lines=",$(cat lines)," '{ print >(index(lines, "," NR ",") ? "valid-part.tsv" : "train-part.tsv") }' data.tsv
ends 0 train config.ini --out parts --set data.train=train-part.tsv --set data.valid=valid-part.tsv
for file in prompt.safetensors history.jsonl; do
    cmp -s split/$file parts/$file || fail "$file of a split and of two files differ"
done
diff <(cut -f 2- split/predictions.tsv) <(cut -f 2- parts/predictions.tsv) >/dev/null || fail 'predictions differ'

# Who measures later measures the same texts, whatever seed or share is set; other texts are refused.
ends 0 eval split --json --set experiment.seed=7
[ "$(number accuracy out)" = "$(number accuracy split/metrics.json)" ] || fail 'eval measures other texts'
says err 'the same as when the run was begun'
ends 0 points split --out split.npz
cp -r split other
printf 'aa ab ba 99\tlow\n' >>data.tsv
ends 3 eval split
matches err "split/split.json: the run's validation texts were split off 40 texts \(hash [0-9a-f]{16}\), .*data.tsv now has 41"
ends 0 eval split --json --set data.valid_share=0 --set data.valid=valid-part.tsv
texts 20 >data.tsv
for broken in '"rows":[1,1' '"rows":[99' '"rows":[-1' '"rows":"' '"row":['; do
    sed "s/\"rows\":\[[0-9]*/$broken/" split/split.json >other/split.json
    ends 3 eval other
    says err 'other/split.json'
done

# A run that is gone on with has them too, though the seed would choose them; the one of before the first step
# has no record yet.
ends 0 train config.ini --out whole "${share[@]}" --set train.epochs=60 --set output.checkpoint_every=1
"$dunlin" train config.ini --quiet --out halved "${share[@]}" --set train.epochs=60 --set output.checkpoint_every=1 >out 2>err &
pid=$!
until [ -s halved/history.jsonl ]; do
    kill -0 $pid || stop 'the run to interrupt'
    sleep 0.01
done
kill -INT $pid
wait $pid
[ $? -eq 130 ] || stop 'the run to interrupt was not'
cmp -s halved/split.json whole/split.json || fail 'two runs of one seed split otherwise'
ends 0 train --resume halved
for file in prompt.safetensors predictions.tsv history.jsonl; do
    cmp -s halved/$file whole/$file || fail "$file: a run with a split that went on ends otherwise"
done

# Each seed of several runs has its own.
ends 0 train config.ini --seeds 2 --out seeds "${share[@]}"
cmp -s seeds/001-*/split.json seeds/002-*/split.json && fail 'two seeds split alike'
cmp -s seeds/001-*/prompt.safetensors split/prompt.safetensors || fail 'the first of two seeds is not what it is alone'

# What does not go.
ends 2 train config.ini --out bad "${share[@]}" --set data.valid=valid-part.tsv
says err 'data.valid_share = 0.25 does not go with data.valid = valid-part.tsv'
ends 2 train config.ini --out bad "${share[@]}" --set data.limit_valid=3
says err 'data.valid_share = 0.25 does not go with data.limit_valid = 3'
for value in -0.1 1 nan; do
    ends 2 train config.ini --out bad --set data.valid_share=$value
    says err 'data.valid_share'
done
printf 'one of its kind\trare\n' | cat data.tsv - >rare.tsv
ends 3 train config.ini --out bad "${share[@]}" --set data.train=rare.tsv
says err 'rare.tsv: class "rare" would be left out of the validation texts (0 of its 1 texts would be split off)'
printf 'aa ab ba 1\trare\naa ab ba 1\trare\n' | cat data.tsv - >rare.tsv
ends 3 train config.ini --out bad "${share[@]}" --set data.train=rare.tsv
matches err 'class "rare" would be left out of the (training|validation) texts \([02] of its 2 texts'
[ ! -e bad ] || fail 'what was refused left a folder'
finish
