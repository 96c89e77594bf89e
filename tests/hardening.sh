#!/usr/bin/env bash
# Bad input from outside, the command's first failure each: the documented exit code, one line on stderr that
# says what is wrong, nothing on stdout, nothing left behind. Files are spoiled on the fly from one that is
# sound. No case comes as far as opening a device. Usage: hardening.sh DUNLIN FIXTURES
set -uo pipefail

dunlin=$1
model=$2/tiny-a.gguf
work=$(mktemp -d)
logs=$(mktemp -d)
trap 'chmod -R u+rwx "$work"; rm -rf "$work" "$logs"' EXIT
cd "$work" || exit 1
n_failed=0
n_cases=0

fail() {
    printf 'FAILED: %s\n' "$*"
    printf '  stdout: %s\n' "$(head -c 300 "$logs/out")"
    printf '  stderr: %s\n' "$(head -c 600 "$logs/err")"
    n_failed=$((n_failed + 1))
}

# bad STATUS TEXT ARGS...: dunlin ARGS ends with that status and one line that contains TEXT; stdin is empty
# or $input.
bad() {
    local wanted=$1 text=$2 status before
    shift 2
    n_cases=$((n_cases + 1))
    before=$(find . | sort)
    timeout 60 "$dunlin" "$@" <"${input:-/dev/null}" >"$logs/out" 2>"$logs/err"
    status=$?
    [ $status -eq "$wanted" ] || fail "dunlin $*: exit status $status, expected $wanted"
    [ ! -s "$logs/out" ] || fail "dunlin $*: output though it failed"
    [ "$(grep -vc '^warning: ' "$logs/err")" -eq 1 ] || fail "dunlin $*: not exactly one line on stderr"
    grep -q '^dunlin: ' "$logs/err" || fail "dunlin $*: stderr does not open with its name"
    grep -qF -e "$text" "$logs/err" || fail "dunlin $*: stderr does not contain: $text"
    [ "$(find . | sort)" = "$before" ] || fail "dunlin $*: files left behind"
}

# Where a text stands in the model file.
place() {
    grep -abo -m 1 -F -e "$1" "$model" | head -n 1 | cut -d : -f 1
}
# spoil FILE OFFSET BYTES: the model file with bytes (as printf writes them) from OFFSET on replaced.
spoil() {
    cp "$model" "$1"
    # shellcheck disable=SC2059 # the escapes are the point
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
# key NAME BYTES, kind NAME BYTES: spoils the value or the type of a key. After a key's name follow its type
# (4 bytes) and the value; of an array, the type of its elements (4) and their number (8).
key() {
    spoil m.gguf $(($(place "$1") + ${#1} + 4 + ${3:-0})) "$2"
}
kind() {
    spoil m.gguf $(($(place "$1") + ${#1})) "$2"
}
# After a tensor's name follow the number of dimensions (4), they themselves (8 each), type (4), offset (8).
tensor() {
    spoil m.gguf $(($(place "$1") + ${#1} + $3)) "$2"
}
bad_model() {
    bad 3 "$1" tokenize --model m.gguf
}
bad_training() {
    bad "$1" "$2" train c.ini --quiet --out run-out "${@:3}"
}

for i in 1 2 3; do
    printf 'the inn %s\tno\nqz xx %s\tyes\n' "$i" "$i"
done >data.tsv
cat >c.ini <<INI
[model]
path = $model
[data]
train = data.tsv
valid = data.tsv
[prompt]
init = vocab
INI

# 1, 2: not a GGUF file, another version
: >m.gguf && bad_model 'm.gguf: is empty'
head -c 20 "$model" >m.gguf && bad_model 'GGUF header'
printf 'version https://git-lfs.github.com/spec/v1\n' >m.gguf && bad_model 'Git LFS pointer'
printf '<!DOCTYPE html><html></html>' >m.gguf && bad_model 'HTML'
head -c 999 /dev/zero >m.gguf && bad_model 'is not a GGUF file'
for version in '\1\0\0\0' '\4\0\0\0' '\0\0\0\3'; do
    spoil m.gguf 4 "$version" && bad_model 'GGUF version '
done
# 3, 4: counts and lengths beyond the file
spoil m.gguf 8 '\377\377\377\377\377\377\377\377' && bad_model 'claims 18446744073709551615 tensors'
spoil m.gguf 16 '\0\0\0\0\0\1' && bad_model 'claims 1099511627776 keys'
spoil m.gguf 24 '\377\377\0\0' && bad_model 'key 0'
key general.name '\0\0\0\377' && bad_model "key 'general.name' has a string of"
key general.name '\0\0\0\2' && bad_model "key 'general.name' needs 33554432 bytes"
kind general.name '\143' && bad_model "key 'general.name' has value type 99"
key tokenizer.ggml.tokens '\11\0\0\0' && bad_model 'array of arrays'
key tokenizer.ggml.tokens '\0\0\0\0\0\1' 4 && bad_model "'tokenizer.ggml.tokens' claims"
# 5, 6: names twice, types of keys and of array elements
spoil m.gguf "$(place blk.0.attn_k.weight)" 'blk.0.attn_q.weight' && bad_model "'blk.0.attn_q.weight' appears twice"
spoil m.gguf "$(place blk.0.attn_k.weight)" '\33' && bad_model 'control character'
kind llama.block_count '\6' && bad 3 "'llama.block_count' is f32" train c.ini --set model.path=m.gguf
key tokenizer.ggml.token_type '\6' && bad_model 'tokenizer.ggml.token_type'
# 7: alignment, in the place of a key with as long a name
for alignment in '\0\0\0' '\60\0\0' '\0\0\40'; do
    spoil m.gguf "$(place general.file_type)" "general.alignment\\4\\0\\0\\0$alignment"
    bad_model "'general.alignment' is"
done
# 8, 9, 10: shapes, types, places of tensors
tensor token_embd.weight '\0\0\0\0' 0 && bad_model "'token_embd.weight' has 0 dimensions"
tensor token_embd.weight '\5' 0 && bad_model "'token_embd.weight' has 5 dimensions"
tensor token_embd.weight '\377\377\377\377\377\377\377\377' 12 && bad_model "'token_embd.weight' has shape"
tensor token_embd.weight '\0\0\0\0\0\1' 12 && bad_model "'token_embd.weight'"
tensor token_embd.weight '\47' 20 && bad_model 'MXFP4 (39)'
tensor token_embd.weight '\1' 24 && bad_model 'offset 1;'
tensor blk.0.attn_q.weight '\0\0\0\0\0\0\0\177' 24 && bad_model "'blk.0.attn_q.weight'"
tensor blk.0.attn_q.weight '\0\0\0\0\0\0\0\0' 24 && bad_model 'overlap'
head -c -1 "$model" >m.gguf && bad_model 'truncated download?'
# 11, 12: hyper-parameters, shapes, values
for spoiled in block_count:'\0' attention.head_count_kv:'\0' attention.head_count_kv:'\3' \
    rope.dimension_count:'\7' attention.layer_norm_rms_epsilon:'\0\0\300\177' embedding_length:'\11'; do
    key "llama.${spoiled%%:*}" "${spoiled#*:}"
    bad_training 3 m.gguf --set model.path=m.gguf
done
tensor blk.0.attn_q.weight 'x' -1 && bad_training 3 "'blk.0.attn_q.weight'" --set model.path=m.gguf
spoil m.gguf $(($(wc -c <"$model") - 4)) '\0\0\300\177' && bad_training 3 'NaN or inf' --set model.path=m.gguf
# 13: the tokenizer
spoil m.gguf $(($(place tokenizer.ggml.merges) + 21 + 16 + 8)) 'zz' && bad_model 'tokenizer.ggml.merges[0]'
key tokenizer.ggml.pre 'xxx' 8 && bad_model 'tokenizer.ggml.pre'
key tokenizer.ggml.bos_token_id '\377\377' && bad_model 'tokenizer.ggml.bos_token_id is 65535'
key tokenizer.ggml.tokens '\2\0' 4 && bad_model m.gguf

# 14, 19: a run's prompt. prompt HEADER DATA: header length in 8 bytes, JSON, values.
mkdir run
cp c.ini run/config.ini
prompt() {
    # shellcheck disable=SC2059
    {
        printf "\\$(printf %o $((${#1} & 255)))\\$(printf %o $((${#1} >> 8)))\0\0\0\0\0\0"
        printf %s "$1"
        printf "$2"
    } >run/prompt.safetensors
}
bad_run() {
    bad 3 "run/prompt.safetensors$1" eval run --quiet
}
bad 3 'run/prompt.safetensors: ' eval run
rows='{"prompt_embeddings":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
printf '\377\377\377\377\377\377\377\177{}' >run/prompt.safetensors && bad_run ': claims a header of'
printf '\2\0\0\0\0\0\0\0[]' >run/prompt.safetensors && bad_run :
prompt '{"a":' '' && bad_run :
prompt "{\"a\":$(printf '[%.0s' $(seq 70))$(printf ']%.0s' $(seq 70))}" '' && bad_run :
prompt "$rows" '1234' && bad_run :
prompt "$rows" '123456789' && bad_run :
prompt "${rows/8/12}" '123456781234' && bad_run :
prompt "${rows/1,2/4294967296,4294967296}" '12345678' && bad_run :
prompt "{\"a\":1,\"a\":1}" '' && bad_run :
prompt "${rows/1,2/9007199254740993}" '12345678' && bad_run ':1:61: the integer is beyond 2^53'
prompt "${rows/prompt/other}" '12345678' && bad_run ': has no tensor prompt_embeddings'
prompt "$rows" '1234\0\0\300\177' && bad_run ': tensor prompt_embeddings has a value that is not finite'
prompt "$rows" '12345678' && bad_run ': has no centroids'
two='{"__metadata__":{"classes":"[\"a\",\"b\"]","model_hash":"1"},"prompt_embeddings":{"dtype":"F32","shape":[1,32],"data_offsets":[0,128]},"centroids":{"dtype":"F32","shape":[2,1],"data_offsets":[128,136]}}'
prompt "$two" "$(printf '1234%.0s' $(seq 34))" && bad_run ': belongs to another model file'
prompt "${two/1,32/2,16}" "$(printf '1234%.0s' $(seq 34))" && bad_run ': made for embeddings of width 16'
prompt "${two/,\\\"b\\\"/}" "$(printf '1234%.0s' $(seq 34))" && bad_run ': the metadata'
# The same files, and folders, as what a prompt starts from.
bad_start() {
    bad 3 "$1" points c.ini --set prompt.init=file --set "prompt.file=$2" --out never.safetensors
}
bad_start 'nowhere: ' nowhere
mkdir empty
bad_start 'empty: a folder without prompt.safetensors or adapter_model.safetensors' empty
for file in run run/prompt.safetensors; do
    prompt "${rows/prompt/other}" '12345678' && bad_start 'run/prompt.safetensors: has no tensor prompt_embeddings' $file
    prompt "$rows" '1234\0\0\300\177' && bad_start 'a value that is not finite' $file
    prompt "$rows" '12345678' && bad_start 'run/prompt.safetensors: prompt_embeddings are 2 wide' $file
    prompt "${rows/F32/F16}" '1234' && bad_start 'run/prompt.safetensors: ' $file
done
bad 2 'prompt.template = {text}: ' points c.ini --set 'prompt.template={text}' --out never.safetensors
bad 2 'prompt.placement = prefix, but prompt.template' points c.ini --set prompt.placement=prefix \
    --set 'prompt.template={text}{soft}' --out never.safetensors
bad 2 'prompt.tokens = 4, but prompt.template' points c.ini --set prompt.tokens=4 \
    --set 'prompt.template={text}{soft:3}' --out never.safetensors
bad 2 'model.layer = 4, but the model has 3 layers' points c.ini --set model.layer=4 --out never.safetensors
bad 2 'model.layer = 2' points c.ini --set model.layer=2 --set model.point=logits --out never.safetensors

bad 3 'is not a run directory' eval .
bad 2 'is not the folder of a run' train --resume c.ini
bad 2 'is a run directory' train run

# 15: JSON, as a text to tokenize
bad_json() {
    printf '%s\n' "$1" >t.jsonl
    bad 3 "t.jsonl:1$2" tokenize --model "$model" --input jsonl t.jsonl
}
bad_json '{"text": [1, 2]}' ''
bad_json '{"text": null}' ''
bad_json '{"txt": "a"}' ''
bad_json '{"text": "a"' ':'
bad_json '{"text": "a"} x' ':'
bad_json '{"text": "a", "n": 1e999}' ':'
bad_json '{"text": "\ud800"}' ':'
bad_json '{"text": "a", "text": "b"}' ':'
bad_json "{\"text\": $(printf '[%.0s' $(seq 70))$(printf ']%.0s' $(seq 70))}" ':'

# 16: configs
bad_config() {
    printf '%b' "$1" >bad.ini
    bad 2 "bad.ini:$2" train bad.ini --out run-out
}
bad_config '[train]\nepoch = 3\n' '2: '
bad_config '[trian]\n' '1: '
bad_config '[train]\nepochs = 3\nepochs = 3\n' '3: '
bad_config '[train]\nepochs = 3x\n' '2: '
bad_config '[train]\nepochs = -1\n' '2: '
bad_config '[prompt]\nlr = nan\n' '2: '
bad_config '[train]\nepochs\n' '2: '
bad_config "[train]\nepochs = $(printf '1%.0s' $(seq 5000))\n" '2: '
bad_config 'include = none.ini\n' '1: '
bad_config 'include = bad.ini\n' '1: '
bad 3 nowhere train c.ini --set 'model.path="two\nlines/nowhere"'
bad 2 nowhere train $'two\nlines/nowhere'
bad 2 '--set' train c.ini --set train.epochs=many
bad 2 'none.ini' train none.ini

# 17, 18: data
bad_data() {
    printf '%b' "$2" >"bad.$1"
    bad_training 3 "bad.$1$3" --set "data.train=bad.$1" "${@:4}"
}
bad_data tsv '' ''
bad_data tsv 'a\tno\nb\tno\n' ''
bad_data tsv 'a\tno\nb\n' ':2'
bad_data tsv 'a\tno\nb\tperhaps\n' ':2' --set 'data.label_map=no:0, yes:1'
bad_data tsv 'a\tno\nb\0\tyes\n' ':2'
bad_data tsv 'a\tno\nb\xff\tyes\n' ':2'
bad_data tsv '\tno\n\tno\nb\tyes\nc\tno\n' ': read 2 of 4 rows: 2 empty texts (1, 2)'
bad_data tsv 'a\tno\nb\t\nc\tyes\n' ':2: the label is empty'
bad_data csv 'a,no\n"b \\"c\\" d",yes\n' ':2: \" inside quotes'
bad_data csv 'a,no\nwe\x92ll,yes\n' ':2: 0x92 at byte 7 is not UTF-8; text in UTF-8 is needed; if it is Windows-1252, as spreadsheets write: iconv -f WINDOWS-1252 -t UTF-8'
bad_data csv 'PAR1\x15\x04' ': is a Parquet file'
bad_data csv 'PK\x03\x04xl/worksheets' ': is an Excel workbook'
bad_data tsv 'PK\x03\x04abc' ': is a ZIP archive'
bad_data csv '<!DOCTYPE html><p>' ': is an HTML page'
bad_data tsv '\xff\xfea\x00\t\x00n\x00\n\x00\x00\xd8' ': half a character of UTF-16 at byte 10'
bad_data tsv '\xff\xfe\x00\xd8a\x00\t\x00n\x00\n\x00' ': half a character of UTF-16 at byte 2; whole UTF-16'
bad_data json '{"data":[{"text":"a","label":"no"},{"text":"b","label":"yes"}]}' ': the records are in the list "data"'
bad_data jsonl '{"text":"a","label":"no"}\n{"text":"b","label":"yes","n":NaN}\n' ':2:31: NaN is no JSON'
bad_data jsonl '{"text":"a","label":["x","y"]}\n' ':1: the label is a list'
bad_data csv 't\x00e\x00x\x00t\x00,\x00n\x00o\x00\n\x00' ': looks like UTF-16LE'
bad_data csv 'a,no\n"b,yes\n' ':2'
bad_data jsonl '{"text":"a","label":"no"}\n{"text":"b"}\n' ':2'
bad_training 2 'data.label_map' --set 'data.label_map=no:0, yes:2'
bad_training 3 'data.tsv:' --set data.valid=data.tsv --set 'data.label_map=no:0, ja:1'
gzip -c data.tsv >z.tsv.gz
cp z.tsv.gz whole
head -c -4 whole >z.tsv.gz && bad_training 3 'z.tsv.gz' --set data.train=z.tsv.gz
cp whole z.tsv.gz && printf 'abcd' | dd of=z.tsv.gz bs=1 seek=$(($(wc -c <whole) - 8)) conv=notrunc status=none
bad_training 3 'z.tsv.gz' --set data.train=z.tsv.gz
head -c 4000000 /dev/zero | gzip -9 >z.tsv.gz && bad_training 3 'z.tsv.gz' --set data.train=z.tsv.gz

# 20: what is no file, or cannot be read or written
mkfifo fifo
mkdir folder
for path in fifo folder none none/none /dev/null; do
    bad 3 "$path: " tokenize --model $path
    bad_training 3 "$path: " --set data.train=$path
done
for path in fifo none none/none /dev/null; do
    bad 2 "$path: " train $path
done
bad 2 'folder: is a folder; a regular file is needed' train folder
bad 3 'none.txt: ' tokenize --model "$model" none.txt
bad_output() {
    bad 1 "$1: " train c.ini --quiet --out "$1"
}
bad_output run
bad_output data.tsv
bad_output data.tsv/run
bad_output /dev/full/run
if [ "$(id -u)" -ne 0 ]; then
    cp "$model" m.gguf && chmod a-r m.gguf
    bad_model 'm.gguf: Permission denied'
    chmod a-w folder
    bad_output folder/run
fi

# 22: folders
hf() {
    rm -rf hf && mkdir hf
    [ $# -eq 0 ] || printf '%s' "$1" >hf/config.json
    [ $# -lt 2 ] || printf '%s' "$2" >hf/model.safetensors.index.json
}
bad_hf() {
    bad_training 3 "$1" --set model.path=hf
}
sizes='"num_hidden_layers":2,"hidden_size":8,"num_attention_heads":2,"vocab_size":9,"intermediate_size":8'
hf && bad_hf 'hf: is a folder without a model'
hf '{"model_type":"llama"}' && bad_hf 'hf: holds neither model.safetensors nor model.safetensors.index.json'
hf '{"model_type":' '{}' && bad_hf 'hf/config.json:1:'
hf '[]' '{}' && bad_hf 'hf/config.json'
hf "{\"model_type\":\"llama\",$sizes}" '{"weight_map":{"a":"../m.safetensors"}}' && bad_hf "'../m.safetensors'"
hf "{\"model_type\":\"llama\",$sizes}" '{"weight_map":{"a":"gone.safetensors"}}' && bad_hf 'gone.safetensors: is not there'
printf '\10\0\0\0\0\0\0\0{}      ' >hf/gone.safetensors && bad_hf "tensor 'a' is in gone.safetensors"
hf '{"model_type":"llama"}' && cp hf/config.json hf/pytorch_model.bin && bad_hf 'hf: holds pickled weights'
empty() {
    hf "$1" && printf '\10\0\0\0\0\0\0\0{}      ' >hf/model.safetensors
}
empty '{"model_type":"mamba"}' && bad_hf "architecture 'mamba' is not supported (recurrent layers)"
empty '{"model_type":"llama","num_hidden_layers":1e9}' && bad_hf "key 'num_hidden_layers' is 1e+09"
empty '{"model_type":"llama","quantization_config":{"quant_method":"awq"}}' && bad_hf 'quantised by awq'
empty "{\"model_type\":\"llama\",$sizes}" && bad_hf "' is missing; expected it in a llama model of 2 layers"
# 24: the other order of bytes (parts: test_gguf_parts)
spoil m.gguf 4 '\0\0\0\3' && bad_model 'is GGUF version 3 in big-endian order; expected little-endian'
# 25: another program's manifest, whose blob is gone
mkdir -p o/manifests/r/l/n
echo '{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:ab"}]}' >o/manifests/r/l/n/tag
bad_training 3 'names the blob o/blobs/sha256-ab, which is not there' --set model.path=o/manifests/r/l/n/tag
mkdir -p models--a--b/snapshots
bad_training 3 'models--a--b: holds no snapshot' --set model.path=models--a--b

if [ $n_failed -gt 0 ]; then
    echo "$n_failed failures in $n_cases cases"
    exit 1
fi
echo "all $n_cases as expected"
