#!/usr/bin/env bash
# Files of results: what `compare --save` writes and does not tell, what --verify says of right and wrong ones, what stands
# beside as a baseline, what is refused; the page of a folder; and that the results which the source brings can be read.
# Usage: results.sh DUNLIN FIXTURES SOURCE
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3

# edit OUT CHANGE...: one.json with fields changed (result_edit.py).
edit() {
    python3 "$here/result_edit.py" "$work/one.json" "$@" || stop "editing $*"
}
# refused FIELD FILE: neither runs again nor stands beside, with one line that names the field; nothing is left.
refused() {
    ends 3 compare config.ini --verify "$2" --out bad --device "$device"
    matches err "^dunlin: $2:( |)$1"
    [ "$(grep -c . err)" -eq 1 ] || fail "$2: more than a line"
    ends 3 compare config.ini --baseline "$2" --out bad --device "$device"
    matches err "$2:( |)$1"
    [ ! -e bad ] || fail "$2: a folder is left"
}

texts 8 >data.tsv
short_config data.tsv 6 >config.ini
mkdir secret
cp data.tsv secret/hidden-texts.tsv

# --- a device's file, in which nothing is of who measured it, and where; beside one that another device left, whose losses
# are right here.
name=privately
export HOME=$work/home-of-somebody USER=somebody LOGNAME=somebody
mkdir "$HOME"
ends 0 compare config.ini --device "$device" --set data.train=secret/hidden-texts.tsv --set experiment.name=$name \
    --save one.json --out $name --verify "$fixtures/results/tiny.json"
says out 'result: one.json'
says out 'losses of the first 20 steps: right, within 0.001 of those here'
matches out 'device +Example device'
for word in "$(uname -n)" somebody "$(id -un)" "$work" secret hidden-texts $name config.ini tiny-a.gguf '"/'; do
    ! grep -qiF -e "$word" one.json || fail "the file tells '$word'"
done
python3 - <<'END' >out 2>err || fail 'the fields of the file'
import json
result = json.load(open("one.json"))
spreads = [result["seconds"][key] for key in ("build", "step", "step_whole", "job")] + [t["seconds"] for t in result["texts"]]
assert all(s["n"] >= 5 and 0 < s["least"] <= s["median"] <= s["most"] for s in spreads), spreads
assert [t["tokens"] for t in result["texts"]][0] == 22 and result["texts"][1]["tokens"] > 22
assert result["same_bits"] is True and len(result["losses"]) == 24 and result["accuracy"] is not None
assert result["work"]["texts"] == 16 and result["trained_texts"] == 96
assert (result["energy"]["joules"] is None) == bool(result["energy"]["reason"])
assert 0 < result["check"]["worst"] < 1 and len(result["check"]["tests"]) > 10
assert result["memory"]["process_bytes"] > result["memory"]["device_bytes"] > 0
END
matches $name/compare.json '"measured":'

# --- what is wrong, in a precision of its own, by other kernels.
edit wrong.json 'losses.4=0.5' 'program.kernels="00000000000000ff"' 'setup.precision="split"'
ends 3 compare config.ini --device "$device" --verify wrong.json --out wrong
matches err 'wrong.json: losses are not those that come out here'
matches out 'WRONG, not within 0.001 of those here, at most .* \(step 5\)'
says out 'own build: '
matches out 'precision +split +split, [a-z]'
matches wrong/1-run/config.ini '^precision = split'
matches wrong/compare.json '"verify":\[\{"wrong":true,"apart":[0-9.]*,"step":5,"own_build":true\}\]'

# --- beside another device, from here or elsewhere; of the same work only.
ends 0 compare config.ini --device "$device" --baseline one.json --out beside --json
matches out '"name":"baseline: [^"]*","platform":'
ends 3 compare config.ini --device "$device" --baseline one.json --out other --set experiment.seed=2
matches err 'one.json: work.seed is 1, that of this config 2; a result of the same work'
head -n 15 data.tsv >fewer.tsv
for change in data.train=fewer.tsv=data.train "model.path=$fixtures/tiny-b.gguf=model.hash" train.batch_size=4=config; do
    ends 3 compare config.ini --device "$device" --verify one.json --out other --set "${change%=*}"
    matches err "one.json: work.${change##*=} is .*, that of this config"
done
[ ! -e other ] || fail "a result of other work leaves a folder"

# --- what is no result, or cannot be.
n=0
while IFS='|' read -r field changes; do
    # shellcheck disable=SC2086 # several changes
    edit bad.json $changes
    refused "$field" bad.json
    ((n++))
done <<'END'
format_version is 2; this dunlin reads 1|format_version=2
format_version is 0|format_version="1"
program.version is missing|program.version
program.kernels is something else; a hash of 16|program.kernels="06A154415A9FF1AA"
work.model.name is missing; a text|work.model
machine.cores is something else; a whole number from 1|machine.cores=0
machine.container is something else; true or false|machine.container=1
device.name is something else; a text of at most 400 bytes|device.name=""
losses is something else; a list of numbers|losses=[0.1,null]
losses is something else; a list of numbers|losses=[]
check.tests is something else; a number from 0 for each|check.tests={"norm":-1}
check.passed is not true|check.passed=false
seconds.step is something else; .n, least, median, most. of 5 or more|seconds.step.n=4
seconds.step is something else; .n, least|seconds.step.least=0
seconds.step is something else; .n, least|seconds.step.median=-1.5
seconds.step is something else; .n, least|seconds.step.most=1e300
seconds.build is missing; .n, least|seconds.build
seconds.job is shorter than one of its steps; that cannot be|seconds.job={"n":5,"least":1e-9,"median":1e-9,"most":1e-9}
seconds.step_whole is shorter than seconds.step|seconds.step_whole={"n":5,"least":1e-9,"median":1e-9,"most":1e-9}
texts.1.seconds is something else|texts.1.seconds.least=1e6
texts.1.tokens is missing|texts.1
energy needs joules, or the reason|energy.reason=null energy.joules=null
energy.joules is something else; .n, least, median, most. of 5 or more, or null|energy.joules=5
accuracy is something else; a number from 0 to 1, or null|accuracy=1.5
accuracy is something else; a number from 0 to 1, or null|accuracy=-0.25
check.worst is something else; a number from 0 to 1|check.worst=1.5
check.worst is something else; a number from 0 to 1|check.worst=null
machine.cores are more than machine.of_cores; that cannot be|machine.of_cores=2 machine.cores=3
checksum does not fit: the file was changed|--keep-checksum accuracy=0.5
END
[ $n -eq 29 ] || stop "rows of bad files: $n"
for word in precision weights cache_kv; do # what is run again must be what a config takes
    edit bad.json "setup.$word=\"bogus\""
    ends 3 compare config.ini --verify bad.json --out bad
    matches err "^dunlin: bad.json: setup.$word: device.$word = bogus is not known; needed is "
done
sed 's/"accuracy":[0-9.]*/"accuracy":NaN/' one.json >bad.json
refused '1:[0-9]+: NaN is no JSON; a number or null is needed' bad.json
head -c 700 one.json >bad.json
refused '1:[0-9]+: ' bad.json
ends 3 compare config.ini --verify data.tsv --out bad
matches err '^dunlin: data.tsv:1:2: '
ends 3 compare config.ini --verify wrong/compare.json --out bad
matches err 'compare.json: format is not "dunlin result"; what .dunlin compare --save. wrote is needed'
ends 3 compare config.ini --verify none.json --out bad
ends 1 compare config.ini --device "$device" --save nowhere/one.json --out bad
[ ! -e bad ] || fail "a folder is left"
# What did not finish is not saved.
ends 4 compare config.ini --device "$device" --save none.json --timeout 0.001 --out late
matches err 'no device finished'
[ ! -e none.json ] || fail "a result of nothing"

# --- the page of a folder, or where it is wanted.
mkdir folder
cp one.json folder/a.json
edit folder/b.json 'device.name="</script><b>other</b>"'
echo 'not for the page' >folder/README.md
ends 0 report folder
says out folder/devices.html
says folder/devices.html '"file":"b.json"'
! grep -qE '(src|href)=|</script><b>' folder/devices.html || fail "the page is not whole in itself"
ends 0 report folder --out elsewhere.html
says elsewhere.html '"file":"a.json"'
echo '{"a":1}' >folder/c.json
ends 3 report folder
matches err 'folder/c.json: format is not'
ends 3 report secret
matches err 'is not the folder of a finished run'

# --- what the source brings.
if compgen -G "$source/results/*.json" >/dev/null; then
    ends 0 report "$source/results" --out brought.html
    for file in "$source"/results/*.json; do
        says brought.html "\"file\":\"${file##*/}\""
    done
fi
finish
