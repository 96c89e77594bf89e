#!/usr/bin/env bash
# Sweeps, seeds and several configs from the command line, on a tiny model. Usage: sweep.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

same_file() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}
count() {
    [ "$1" -eq "$2" ] || fail "$3: $1, expected $2"
}

for i in 1 2 3 4 5 6; do
    printf 'then the inn %s\tno\nqqzz qz xx%s\tyes\n' "$i" "$i"
done >data.tsv
printf 'then the in\tno\nzzqq x\tyes\nthe the inn\tno\n' >valid.tsv
tiny_config valid.tsv >tiny.ini <<'INI'
[prompt]
init = vocab
lr = 0.02
[train]
epochs = 1
batch_size = 5
[output]
report = no
INI
printf 'include = tiny.ini\n[loss]\nkind = centroid\n' >other.ini

# A grid with seeds: a table, best first; a folder for each run; each the same as when it runs alone.
ends 0 train tiny.ini --sweep prompt.lr=1e-3,2e-2 --sweep prompt.tokens=3,5 --seeds 2 --out grid
matches out '^prompt.lr +prompt.tokens +accuracy +\+- +macro f1 +class means +probe before +probe after +seconds'
count "$(grep -cE '^(1e-3|2e-2) +[35] ' out)" 4 'settings in the table'
count "$(wc -l <grid/sweep.csv)" 9 'lines of sweep.csv'
count "$(find grid -name metrics.json | wc -l)" 8 'runs'
column=$(awk 'NR > 1 && NF > 4 { print $3 }' out)
[ "$column" = "$(sort -r <<<"$column")" ] || fail 'the table is not sorted by accuracy'
if command -v python3 >/dev/null; then
    python3 -m json.tool grid/sweep.json >/dev/null || fail 'sweep.json is not JSON'
fi
ends 0 train tiny.ini --set prompt.lr=2e-2 --set prompt.tokens=3 --set experiment.seed=2 --out alone
same_file alone/prompt.safetensors grid/*lr=2e-2-tokens=3-seed=2/prompt.safetensors
same_file alone/history.jsonl grid/*lr=2e-2-tokens=3-seed=2/history.jsonl
count "$(grep -c 'reading texts' err)" 1 'passes over the texts alone'
ends 1 train tiny.ini --seeds 2 --out grid
matches err 'never overwritten'

# The texts are read once where only the training differs, again where the data do.
ends 0 train tiny.ini --sweep prompt.lr=1e-3,1e-2,2e-2 --out once
count "$(grep -c 'reading texts' err)" 1 'passes over the texts for three rates'
ends 0 train tiny.ini --sweep data.limit_train=6,8 --sweep prompt.lr=1e-3,1e-2 --out twice
count "$(grep -c 'reading texts' err)" 2 'passes over the texts for two data sets'
count "$(grep -c '^model ' err)" 1 'models loaded for two data sets'

# A loss that diverges is a row; a table of nothing else is a failure.
ends 0 train tiny.ini --sweep prompt.lr=1e-3,1e30 --out wild
matches out '^1e30 .*diverged'
matches wild/sweep.csv ',1e30,1,diverged,'
matches wild/sweep.csv 'the loss is'
ends 1 train tiny.ini --sweep prompt.lr=1e30,1e31 --out wilder
matches out 'diverged'
matches err 'every run diverged'

# What cannot be read is a row too, and decides the status; the others run.
ends 3 train tiny.ini --sweep data.train=data.tsv,nothing.tsv --out missing
matches out 'failed'
matches err '1 of 2 runs failed'
[ -s missing/001-train=data.tsv/metrics.json ] || fail 'the run beside a failed one is not there'

# Several configs: a table; folders of their own, or below --out.
ends 0 train tiny.ini other.ini
matches out '^config +accuracy'
matches out '^other '
for name in tiny other; do
    [ -s runs/$name/metrics.json ] || fail "no runs/$name"
done
[ ! -e runs/all-sweep ] || fail 'a folder nobody asked for'
count "$(grep -c '^model ' err)" 1 'models loaded for two configs'
ends 0 train tiny.ini other.ini --seeds 2 --out both
count "$(find both -name metrics.json | wc -l)" 4 'runs of two configs and seeds'
ends 0 train tiny.ini --seeds 2
[ -s runs/tiny-sweep/sweep.json ] || fail 'no runs/tiny-sweep'

# Runs of one name that begin together have a folder each.
rm -rf runs/tiny*
trainings=()
for seed in 1 2 3 4; do
    "$dunlin" train -q tiny.ini --device "$device" --set experiment.seed=$seed >"together-$seed" 2>&1 &
    trainings+=($!)
done
for training in "${trainings[@]}"; do
    wait "$training" || fail "one of four trainings at once: $(cat together-*)"
done
count "$(find runs -name metrics.json | sort | grep -c tiny)" 4 'folders of runs that began together'
count "$(grep -h '^seed' runs/tiny*/config.ini | sort -u | wc -l)" 4 'seeds in them'

# JSON, of one run as well.
ends 0 train tiny.ini --out single --json
count "$(wc -l <out)" 1 'lines of --json'
matches out '"runs":\[\{"config":"tiny"'
ends 0 train tiny.ini --seeds 2 --out pair --json
same_file out pair/sweep.json
matches single/metrics.json '"linear_probe":\{"before":[0-9.]+,"after":[0-9.]+'
ends 0 train tiny.ini --set train.probe=no --out without
matches without/metrics.json '"linear_probe":\{"before":null'
grep -q 'linear probe' out && fail 'a probe nobody asked for'

# Bad command lines: nothing is run.
for words in '--sweep prompt.lr' '--sweep prompt.lt=1,2' '--sweep prompt.lr=1,x' '--seeds 0' '--seeds x' \
    '--seeds 2 --sweep experiment.seed=1,2' '--sweep train.epochs=1,2 --sweep train.epochs=3' \
    '--sweep prompt.init=vocab,text'; do
    # shellcheck disable=SC2086
    ends 2 train tiny.ini $words --out never
    [ ! -e never ] || fail "$words: a folder though the command line is wrong"
done
ends 2 train single --out never
matches err 'run directory'

finish
echo "all as expected"
