#!/usr/bin/env bash
# The files of a run: a checkpoint knows its data and refuses another, however the files are called and written; they
# are found as written, as recorded, beside the run; `~` and $HOME in paths. Usage: run_files.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

texts 10 >data.tsv
texts 4 'ab aa bb' 'zy zz yy' >valid.tsv
cp "$fixtures/tiny-a.gguf" tiny.gguf
(short_config valid.tsv 3 | sed 's|^path = .*|path = tiny.gguf|'; echo 'checkpoint_every = 5') >config.ini
ends 0 train -q config.ini --out whole

# begun RUN: as one that was killed after its last checkpoint but one leaves it.
begun() {
    rm -rf "$1" && cp -r whole "$1" && rm "$1/metrics.json" && mv "$1/checkpoint.previous" "$1/checkpoint"
}
same() {
    cmp -s "whole/prompt.safetensors" "$1/prompt.safetensors" || fail "$2: another result"
    cmp -s "whole/history.jsonl" "$1/history.jsonl" || fail "$2: another history"
}

# Other data: what changed is said, with both hashes, before a device is opened.
changes=(
    "sed -i '5,\$d' data.tsv|20 training texts .hash HASH., now 4 .HASH.;"
    "printf 'ba bb 1\\tlow\\n' >>data.tsv|20 training texts .hash HASH., now 21 "
    "sed -i '3s/aa/ab/' data.tsv|20 training texts .hash HASH., now as many with other content or order"
    "sed -i '3s/low/high/' data.tsv|20 training texts .*, now as many with other content"
    "tac data.tsv >x && mv x data.tsv|20 training texts .*, now as many with other content or order"
    "sed -i 's/low/lower/' data.tsv valid.tsv|20 training texts .*; 8 validation texts .*, now as many"
    "sed -i '1d' valid.tsv|8 validation texts .hash HASH., now 7 "
    "cp data.tsv valid.tsv|8 validation texts .*, now 20 "
)
cp data.tsv data.kept && cp valid.tsv valid.kept
for row in "${changes[@]}"; do
    begun run
    bash -c "${row%%|*}"
    OCL_ICD_VENDORS=$work/nowhere ends 3 train -q --resume run
    text=${row#*|}
    matches err "run/checkpoint: belongs to other data: it had .*${text//HASH/[0-9a-f]{16\}}"
    says err 'a run is resumed with the data it was begun with'
    cp data.kept data.tsv && cp valid.kept valid.tsv
    ends 0 train -q --resume run # nothing is lost
    same run "${row%%|*}"
done

# The same records from elsewhere, and written otherwise.
awk -F'\t' 'BEGIN {print "label,text"} {print $2 ",\"" $1 "\""}' data.tsv >other.csv
{ printf '\xef\xbb\xbf' && sed 's/$/\r/' valid.tsv; } | gzip >other.tsv.gz
begun run
ends 3 train -q --resume run --set data.train=other.csv --set data.text_column=text --set data.label_column=label \
    --set data.header=yes --set data.valid=valid.csv --set data.format=csv
says err 'valid.csv: no such file'
awk -F'\t' 'BEGIN {print "label,text"} {print $2 ",\"" $1 "\""}' valid.tsv >valid.csv
begun run
ends 0 train -q --resume run --set data.train=other.csv --set data.text_column=text --set data.label_column=label \
    --set data.header=yes --set data.valid=valid.csv
same run 'as CSV'
begun run
ends 0 train -q --resume run --set data.valid=other.tsv.gz
same run 'compressed'

# Found: as written, as recorded, beside the run; the places are listed where it is nowhere.
says whole/metrics.json "\"files\":{\"model.path\":\"$work/tiny.gguf\",\"data.train\":\"$work/data.tsv\""
mkdir -p away/deep
cd away || exit 1
for command in 'eval ../whole' 'points ../whole --out p.npz' 'classify ../whole ../valid.tsv'; do
    # shellcheck disable=SC2086
    ends 0 $command
done
(cd .. && begun run)
ends 0 train -q --resume ../run # it has no metrics.json: from the folder that it was begun in
cd ..
same run 'from another folder'
mkdir moved
cp -r whole moved/run
mv tiny.gguf data.tsv valid.tsv moved
ends 0 eval moved/run
says err 'moved/valid.tsv beside the run is taken'
(cd moved && begun() { cp -r run begun && rm begun/metrics.json && mv begun/checkpoint.previous begun/checkpoint; } && begun)
ends 0 train -q --resume moved/begun
same moved/begun 'moved with its files'
mv moved/valid.tsv away
ends 3 eval moved/run
matches err "moved/run/config.ini:[0-9]+: data.valid = valid.tsv: no such file; looked in the current folder, $work/valid.tsv, moved/run, moved"
mv moved/tiny.gguf away
ends 3 eval moved/run
matches err "model.path = tiny.gguf: no such file; looked in the current folder, $work/tiny.gguf, moved/run, moved.*tools/model"
ends 0 eval moved/run --set model.path=away/tiny.gguf --set data.valid=away/valid.tsv
ends 3 eval moved/run --set model.path=away/tiny.gguf --set data.valid=nothing.tsv
grep -q "$work/valid.tsv" err && fail 'what was recorded is looked for though another file is asked for'
mv away/*.* moved
mv moved/*.* .

# The home, in a file, with --set, from the environment and in a sweep; of what is written, too.
export HOME=$work/home
mkdir -p "$HOME/texts" && cp data.tsv valid.tsv "$HOME/texts"
# shellcheck disable=SC2016,SC2088 # dunlin is to see them
{
    ways=('~/texts/data.tsv' '$HOME/texts/data.tsv' '${HOME}/texts/data.tsv')
    for way in "${ways[@]}"; do
        sed "s|^train = .*|train = $way|" config.ini >home.ini
        rm -rf run
        ends 0 train -q home.ini --out run
        says run/config.ini "train = $HOME/texts/data.tsv"
        same run "$way"
        rm -rf run
        ends 0 train -q config.ini --set "data.valid=$way" --set train.epochs=1 --out run
        says run/config.ini "valid = $HOME/texts/data.tsv"
    done
    rm -rf run
    DUNLIN_DATA_TRAIN='~/texts/data.tsv' ends 0 train -q config.ini --set 'output.dir=~/runs/x'
    [[ -s $HOME/runs/x/metrics.json && ! -e '~' ]] || fail 'output.dir = ~/runs/x'
    ends 0 train -q config.ini --sweep 'data.train=~/texts/data.tsv,data.tsv' --out sweep
    says sweep/001-*/config.ini "train = $HOME/texts/data.tsv"
    ends 3 train config.ini --set 'data.train=~/no.tsv' --out never
    says err "data.train = $HOME/no.tsv: no such file"
    HOME='' ends 2 train config.ini --set 'data.train=~/no.tsv' --out never
    says err 'HOME is not set'
    # In an include, and behind an option whose `=` the shell takes for a part of the word.
    cp config.ini "$HOME/texts/base.ini"
    for way in '~/texts/base.ini' '$HOME/texts/base.ini'; do
        printf 'include = %s\n[prompt]\ntokens = 2\n' "$way" >includes.ini
        rm -rf "$HOME/included"
        ends 0 train -q includes.ini --out='~/included'
        says "$HOME/included/config.ini" 'tokens = 2'
    done
    rm -rf "$HOME/included"
    ends 0 train -q includes.ini '-o~/included'
    ends 0 export '--format=npz' "$HOME/included" '--out=$HOME/prompt.npz'
    [[ -s $HOME/prompt.npz && ! -e '~' ]] || fail '--out=~/included'
    printf 'include = ~/no.ini\n' >includes.ini
    ends 2 train includes.ini
    says err "$HOME/no.ini"
    HOME='' ends 2 train includes.ini
    says err 'includes.ini:1: ~/no.ini: HOME is not set'
    HOME='' ends 2 train config.ini --out='~/x'
    says err '--out: ~/x: HOME is not set'
    ends 3 train config.ini --set model.path=/nowhere/model.gguf --out never
    says err '/nowhere/model.gguf: no such file; '
    grep -q 'looked in' err && fail "a full path: $(cat err)"
    ends 3 train config.ini --set model.path=no-such-model --out never
    says err '`dunlin models` lists those on this computer'
    mkdir '~x' && cp data.tsv '~x'
    ends 0 train -q config.ini --set 'data.train=~x/data.tsv' --out plain # only the own home
    says plain/config.ini 'train = ~x/data.tsv'
}

finish
echo "all as expected"
