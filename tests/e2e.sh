#!/usr/bin/env bash
# Every command on a tiny model, from data files to answers: train, eval, points, classify, where settings
# come from, and what bad input gets. Usage: e2e.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
model=$fixtures/tiny-a.gguf

# expect STATUS ARGS...: runs dunlin, stdin from $input or empty, into `out` and `err`; a failure is one line
# that opens with the program's name and prints nothing else, but for warnings and what was said before.
expect() {
    local wanted=$1
    ends "$@"
    shift
    if [ "$wanted" -ne 0 ]; then
        [ ! -s out ] || fail "dunlin $*: output though it failed"
        [ "$(grep -c '^dunlin: ' err)" -eq 1 ] || fail "dunlin $*: not exactly one message"
    fi
}
# same A B WHAT
same() {
    if [ -z "$1" ] || [ "$1" != "$2" ]; then
        fail "$3: $1, expected $2"
    fi
}
accuracy_of() {
    grep -oE '"accuracy": ?[0-9.]+' "$1" | head -1 | grep -oE '[0-9.]+'
}
# is_json FILE: every line is an object.
is_json() {
    local line
    while IFS= read -r line; do
        if command -v python3 >/dev/null; then
            python3 -m json.tool <<<"$line" >/dev/null || fail "$1: not JSON: $line"
        else
            grep -q '^{.*}$' <<<"$line" || fail "$1: not an object: $line"
        fi
    done <"$1"
}

is_zip() {
    command -v python3 >/dev/null || return 0
    python3 -m zipfile -t "$1" >zip 2>&1 || fail "$1: $(cat zip)"
}

# Four formats of the same data.
for i in 1 2 3 4 5 6; do
    printf 'then the inn %s\tno\nqqzz qz xx%s\tyes\n' "$i" "$i"
done >data.tsv
sed 's/\t/,/' data.tsv >data.csv
sed 's/\(.*\)\t\(.*\)/{"text": "\1", "label": "\2"}/' data.tsv >data.jsonl
gzip -k data.tsv
printf 'then the in\tno\nzzqq x\tyes\nthe the inn\tno\n' >valid.tsv
tiny_config valid.tsv >tiny.ini <<'INI'
[prompt]
init = vocab
lr = 0.02
[train]
epochs = 2
batch_size = 5
INI

# The five files of a run; the same bytes whatever the data's format.
expect 0 train tiny.ini --out run --quiet
says out 'accuracy '
says out 'run: run'
for file in config.ini history.jsonl metrics.json prompt.safetensors predictions.tsv; do
    [ -s "run/$file" ] || fail "train: no $file"
done
is_json run/metrics.json
is_json run/history.jsonl
same "$(grep -c '"loss"' run/history.jsonl)" 6 'steps of two epochs'
same "$(wc -l <run/predictions.tsv)" 4 'lines of predictions.tsv'
same "$(tail -n +2 run/predictions.tsv | cut -f 6)" "$(cut -f 1 valid.tsv)" 'texts of predictions.tsv'
cp data.csv valid.csv && cp data.jsonl valid.jsonl
for format in csv jsonl tsv.gz; do
    expect 0 train tiny.ini --set data.train=data.$format --out "run-$format"
    cmp -s run/history.jsonl "run-$format/history.jsonl" || fail "$format trains otherwise than tsv"
    cmp -s run/prompt.safetensors "run-$format/prompt.safetensors" || fail "$format: another prompt"
done

# The page on a run, and on several; tests/report.sh opens them in a browser.
[ -s run/report.html ] || fail 'train: no report.html'
cp run/report.html written-by-train.html
for file in scatter.png scatter.svg training.gif; do
    [ -s run/$file ] || fail "train: no $file"
    cp run/$file written-by-train-$file
done
expect 0 report run
says out 'run/report.html'
for file in scatter.png scatter.svg training.gif; do
    cmp -s run/$file written-by-train-$file || fail "report: another $file than train's"
done
cmp -s run/report.html written-by-train.html || fail 'report: not what train wrote'
expect 0 report run run-csv --out both.html
says both.html '"name":"run-csv"'
expect 2 report run run-csv
expect 2 report
expect 3 report .
expect 3 report nothing --out nothing.html
expect 1 report run --out missing/report.html
expect 0 train tiny.ini --out unseen --set output.report=no
for file in report.html trajectory; do
    [ ! -e unseen/$file ] || fail "train: $file though no report was wanted"
done
expect 0 report unseen
[ ! -e unseen/scatter.png ] || fail 'report: a picture of points that were not kept'
expect 0 train tiny.ini --out unpictured --set output.pictures=no
[ -s unpictured/report.html ] || fail 'train: no report without pictures'
[ ! -e unpictured/training.gif ] || fail 'train: pictures = no is not heard'
says unseen/report.html '"points":null'

# Evaluated again, a run says what it said of itself; its folder is enough.
expect 0 eval run --json
is_json out
same "$(accuracy_of out)" "$(accuracy_of run/metrics.json)" 'accuracy of eval RUN'
expect 0 eval run
says out 'trained prompt and centroids'
expect 0 eval tiny.ini --json
baseline=$(grep -oE '"class_means_untrained": ?[0-9.]+' run/metrics.json | grep -oE '[0-9.]+$')
same "$(accuracy_of out)" "$baseline" 'accuracy of eval CONFIG'
expect 0 eval tiny.ini
says out 'nothing trained'

# Points: a safetensors header with both tensors, and their bytes after it.
for source in run tiny.ini; do
    rm -f points.safetensors
    expect 0 points $source --out points.safetensors
    says points.safetensors '"points"'
    says points.safetensors '"labels"'
    header=$(od -An -tu8 -N8 points.safetensors | tr -d ' ')
    same "$(($(wc -c <points.safetensors) - header - 8))" $((3 * 32 * 4 + 3 * 8)) "points of $source, bytes"
done

# The same points in NumPy's format; export in two forms, never over an earlier one; a prompt read back.
expect 0 points run --out points.npz
is_zip points.npz
expect 0 export run --format npz --out run.npz
is_zip run.npz
expect 0 export run --format peft --out peft
says err 'AFTER the text'
is_json peft/adapter_config.json
is_json peft/dunlin.json
says peft/adapter_config.json '"num_virtual_tokens":5'
says peft/dunlin.json '"classes":["no","yes"]'
says peft/adapter_model.safetensors prompt_embeddings
expect 1 export run --format peft --out peft
says err 'never overwritten'
expect 2 export tiny.ini --format npz --out never.npz
expect 2 export run --out never.npz
expect 2 export run --format onnx --out never.npz
expect 1 export run --format npz --out missing/never.npz
expect 0 points run --out of-run.safetensors
expect 0 points tiny.ini --set prompt.init=file --set prompt.file=peft/adapter_model.safetensors --out again
cmp -s of-run.safetensors again || fail 'a prompt exported and read back gives other points'

# classify: exactly one answer a line, also for an empty one, one that is not UTF-8, and one without an end.
printf 'then the in\n\nzzqq\xff\xfe x\n   \nthe inn' >lines.txt
expect 0 classify run lines.txt
same "$(wc -l <out)" 5 'answers'
grep -vqE $'^(no|yes)\t[0-9.e+-]+\t[0-9.e+-]+$' out && fail 'classify: an answer of another form'
says err 'UTF-8'
cp out plain
input=lines.txt expect 0 classify run
cmp -s out plain || fail 'classify: a file and standard input differ'
input=lines.txt expect 0 classify run -
cmp -s out plain || fail 'classify -: differs'
expect 0 classify run lines.txt --json
same "$(wc -l <out)" 5 'answers in JSON'
is_json out
same "$(grep -oE '"label": ?"[a-z]*"' out | grep -oE '(no|yes)')" "$(cut -f 1 plain)" 'labels in JSON'
expect 0 classify run data.jsonl --input jsonl
same "$(wc -l <out)" 12 'answers to JSON lines'
cut -f 1 valid.tsv >valid.txt
expect 0 classify run valid.txt
same "$(cut -f 1 out)" "$(tail -n +2 run/predictions.tsv | cut -f 3)" 'classes against predictions.tsv'
: >empty.txt
expect 0 classify run empty.txt
[ ! -s out ] || fail 'classify: answers to nothing'
seq -f 'the line %g' 500 >long.txt
expect 0 classify run long.txt
same "$(wc -l <out)" 500 'answers to 500 lines'

# Words round text and prompt, a prompt before the text, one that a network makes, an earlier layer: each a run
# like any other, before its training and after.
n=0
for setting in 'prompt.template={text} so it is {soft:2} and {soft:3} .' prompt.placement=prefix \
    'prompt.template=the {soft:1} {text}' prompt.reparametrize=yes model.layer=1 \
    model.layers=1+last metric.start=lda metric.start=whiten; do
    n=$((n + 1))
    expect 0 points tiny.ini --set "$setting" --out "before$n.safetensors"
    expect 0 train tiny.ini --set "$setting" --out "variant$n" --quiet
    expect 0 eval "variant$n" --json
    same "$(accuracy_of out)" "$(accuracy_of "variant$n/metrics.json")" "accuracy of eval, $setting"
    expect 0 points "variant$n" --out "after$n.safetensors"
    differ "before$n.safetensors" "after$n.safetensors" "$setting: training does not move the points"
    differ of-run.safetensors "after$n.safetensors" "$setting: changes nothing"
    expect 0 classify "variant$n" lines.txt
    same "$(wc -l <out)" 5 "answers, $setting"
done
expect 2 bench tiny.ini --set prompt.placement=prefix
says err prompt.placement

# Hostile lines, and the other forms of answers: as many lines as went in.
{
    printf 'a\0b\n\e[31mred\e[0m\n<b>&\n\r\n\xf0\x9f\x98\x80 \xd7\xa9\n'
    head -c 100000 /dev/zero | tr '\0' x
    printf '\n%s\n' "$(seq -s ' ' 3000)"
} >hostile.txt
for form in text tsv json; do
    expect 0 classify run hostile.txt --output $form
    same "$(wc -l <out)" 7 "answers to hostile lines as $form"
    grep -q $'\e' out && fail "classify --output $form: an escape sequence gets through"
done
is_json out
expect 0 classify run valid.tsv --input tsv --output tsv
same "$(cut -f 1 out)" "$(tail -n +2 run/predictions.tsv | cut -f 3)" 'classes of the first column'
same "$(cut -f 4- out)" "$(tail -n +2 run/predictions.tsv | cut -f 4,5)" 'distances of the first column'
expect 0 classify run valid.tsv --input tsv --output tsv --unsure 1
same "$(cut -f 1 out | sort -u)" unsure 'labels where nothing is sure'
expect 2 classify run valid.txt --unsure 2
says err 'from 0 and at most 1'
printf '{"text": "then the in"}\n[]\n{"text": "x"}\n' >bad.jsonl
expect 0 classify run bad.jsonl --input jsonl
same "$(wc -l <out)" 3 'answers where one JSON line is none'
says err 'records without a text: 1'
{
    printf 'then the in\n'
    head -c 67108865 /dev/zero | tr '\0' x
} >longest.txt
"$dunlin" classify run longest.txt >out 2>err
same "$?" 3 'status of a line over the cap'
same "$(wc -l <out)" 1 'answers before a line over the cap'
says err 'longest.txt:2'
rm longest.txt

# A label with a tab and a newline keeps to its line.
printf 'text,label\nthen the in,no\nzz qq,"y\te\ns"\n' >odd.csv
expect 0 train tiny.ini --set data.train=odd.csv --set data.valid=odd.csv --set data.header=yes --out odd
expect 0 classify odd lines.txt --output tsv
same "$(wc -l <out)" 5 'answers with odd labels'
same "$(cut -f 2 out | sort -u | tr '\n' ,)" 'no,y e s,' 'odd labels'

# An answer leaves before the next line is written, also when a part of that line is there already.
mkfifo questions answers
"$dunlin" classify run - <questions >answers 2>err &
exec 4>questions 5<answers
printf 'then the in\nzz' >&4
read -r -t 60 answer <&5 || fail 'classify: no answer while it waits'
same "$answer" "$(head -1 plain)" 'answer to a line that came alone'
printf 'qq x\n' >&4
exec 4>&-
read -r -t 60 answer <&5 || fail 'classify: no answer to a line in parts'
expect 0 classify run valid.txt
same "$answer" "$(sed -n 2p out)" 'answer to a line in parts'
exec 5<&-
wait $!

# Command line before environment before file.
steps() {
    grep -c '"loss"' "$1/history.jsonl"
}
DUNLIN_TRAIN_BATCH_SIZE=12 expect 0 train tiny.ini --out from-environment
same "$(steps from-environment)" 2 'steps with the batch size of the environment'
DUNLIN_TRAIN_BATCH_SIZE=12 expect 0 train tiny.ini --set train.batch_size=4 --out from-flag
same "$(steps from-flag)" 6 'steps with the batch size of --set'
says from-flag/config.ini 'batch_size = 4'
DUNLIN_DEVICE_USE=no-such-device expect 0 train tiny.ini --device "$device" --out from-device
DUNLIN_DEVICE_USE=no-such-device expect 4 train tiny.ini --out never-1
DUNLIN_TRAIN_EPOCHS=many expect 2 train tiny.ini --out never-2
says err DUNLIN_TRAIN_EPOCHS

# What bad input gets.
expect 3 train tiny.ini --set model.path=nothing.gguf --out never-3
says err 'nothing.gguf'
sed 's/^batch_size/batchsize/' tiny.ini >typo.ini
expect 2 train typo.ini --out never-4
says err 'typo.ini:13: '
says err 'batch_size'
grep -v 'yes$' data.tsv >one.tsv
expect 3 train tiny.ini --set data.train=one.tsv --out never-5
says err 'one.tsv'
expect 3 train tiny.ini --set data.train=nothing.tsv --out never-6
printf 'a text\tno\nanother\n' >uneven.tsv
expect 3 train tiny.ini --set data.train=uneven.tsv --out never-7
says err 'uneven.tsv:2'
printf 'good\tno\nb\xffd\tyes\n' >latin.tsv
expect 3 train tiny.ini --set data.train=latin.tsv --out never-8
says err 'latin.tsv:2'
head -c 60 data.tsv.gz >cut.tsv.gz
expect 3 train tiny.ini --set data.train=cut.tsv.gz --out never-9
expect 4 eval run --device no-such-device
size=$(wc -c <"$model")
for bytes in 0 20 1000 $((size / 2)) $((size - 1)); do
    head -c "$bytes" "$model" >short.gguf
    expect 3 train tiny.ini --set model.path=short.gguf --out never-10
    says err 'short.gguf'
done
expect 3 eval run --set "model.path=$fixtures/tiny-b.gguf"
says err 'prompt.safetensors'
expect 3 classify run lines.txt --set "model.path=$fixtures/tiny-b.gguf"
head -c 200 run/prompt.safetensors >short.safetensors
mkdir broken
cp run/config.ini broken
cp short.safetensors broken/prompt.safetensors
expect 3 eval broken
expect 3 classify run nothing.txt
expect 2 classify tiny.ini lines.txt
for folder in never-*; do
    [ ! -e "$folder/metrics.json" ] || fail "$folder: a whole run though training failed"
done
expect 1 train tiny.ini --out run
says err 'never overwritten'
expect 1 train tiny.ini --out data.tsv
expect 1 train tiny.ini --set prompt.lr=1e30 --out nan
says err 'loss'
expect 1 points run --out missing/points.safetensors
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked
    chmod a-w locked
    expect 1 train tiny.ini --out locked/run
    says err 'locked/run'
fi

# bench: reads no data, gives a figure for everything.
printf '[device]\nuse = %s\n[model]\npath = %s\n[prompt]\ninit = vocab\n' "$device" "$model" >bench.ini
expect 0 bench bench.ini --quiet
for word in gate_up backward tokens/s optimiser 'roof, measured here: f32' 'launch and wait' arithmetic; do
    says out "$word"
done
expect 0 bench bench.ini --json --rows 7 --set model.point=logits --quiet
is_json out
same "$(wc -l <out)" 1 'lines of bench --json'
same "$(grep -o '"m":7,' out | wc -l)" 12 'products of bench --json --rows 7'
same "$(grep -o '"roof_arithmetic":' out | wc -l)" 3 'texts and a step beside the roof in bench --json'
says out '"roof":{"f32_gflops":'
expect 0 bench bench.ini --json --no-products --quiet
is_json out
says out '"products":[]'
same "$(grep -o '"tokens":\[[0-9, ]*' out | tr ',' '\n' | wc -l)" 748 'tokens of the longest pass in bench --json'
same "$(grep -o '"processor_ms":' out | wc -l)" 7 'times of processors of texts and stages in bench --json'
for rows in 0 -1 7x '' 4294967297; do
    expect 2 bench bench.ini --rows "$rows"
done
expect 2 bench bench.ini --set prompt.init=text

finish
echo "all as expected"
