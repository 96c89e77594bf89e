#!/usr/bin/env bash
# `dunlin models`, and names of models in the stead of paths: the layouts of folders of dunlin, Hugging Face's cache,
# Ollama and LM Studio, as tables. Usage: models.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
tiny=$fixtures/tiny-a.gguf

# A home with a model of every kind of place, and nothing of the user's.
unset HF_HOME HF_HUB_CACHE XDG_CACHE_HOME XDG_DATA_HOME OLLAMA_MODELS DUNLIN_MODELS
export HOME=$work/home
mkdir -p models more/deep/er "$HOME"
cp "$tiny" models/here.gguf
cp "$tiny" more/deep/er/Below.Q8_0.GGUF
cp "$tiny" more/ours-00001-of-00002.gguf
cp "$tiny" more/ours-00002-of-00002.gguf
echo text >more/notes.txt
ln -s . more/loop

hub=$HOME/.cache/huggingface/hub/models--org--tiny
mkdir -p "$hub"/{blobs,refs,snapshots/abc,snapshots/zzz}
cp "$tiny" "$hub/blobs/1"
ln -s ../../blobs/1 "$hub/snapshots/abc/tiny.gguf"
ln -s ../../blobs/2 "$hub/snapshots/abc/dead.gguf"
printf abc >"$hub/refs/main"
mkdir -p "$HOME/.cache/huggingface/hub/models--gpt/snapshots/1" "$HOME/.cache/huggingface/hub/datasets--org--tiny"
cp "$tiny" "$HOME/.cache/huggingface/hub/models--gpt/snapshots/1/only.gguf"

ollama=$HOME/.ollama/models
mkdir -p "$ollama/blobs" "$ollama/manifests/registry.ollama.ai"/{library/gem,somebody/own} "$ollama/manifests/host/a/b"
digest=$(sha256sum <"$tiny" | cut -d' ' -f1)
cp "$tiny" "$ollama/blobs/sha256-$digest"
# manifest PATH LAYERS
manifest() {
    printf '{"schemaVersion":2,"layers":[%s]}' "$2" >"$ollama/manifests/$1"
}
model='{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s"}'
other='{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:00"}'
# shellcheck disable=SC2059 # the form is above
{
    manifest registry.ollama.ai/library/gem/latest "$other,$(printf "$model" "$digest")"
    manifest registry.ollama.ai/library/gem/270m "$(printf "$model" "$digest")"
    manifest registry.ollama.ai/somebody/own/q4 "$(printf "$model" "$digest")"
    manifest host/a/b/gone "$(printf "$model" "${digest//[a-f]/0}")"
    manifest host/a/b/odd "$(printf "$model" ../../secret)"
    manifest host/a/b/none "$other"
    echo '{' >"$ollama/manifests/host/a/b/torn"
}

mkdir -p "$HOME/.lmstudio/models/pub/repo"
cp "$tiny" "$HOME/.lmstudio/models/pub/repo/studio.gguf"

# Folders: a whole model, which a place of one's own may be itself; what is none; files that lack a tensor.
family=$fixtures/families/llama/hf
mkdir -p others/{pickled,adapter,prompt,gpt,both,damaged}
cp -r "$family" own-model
cp -r "$family" others/both/hf
cp "$tiny" others/both/hf/twin.gguf
cp "$family/config.json" others/pickled
printf 'PK' >others/pickled/pytorch_model.bin
printf '{"peft_type":"LORA","base_model_name_or_path":"org/base"}' >others/adapter/adapter_config.json
printf '{"peft_type":"PROMPT_TUNING"}' >others/prompt/adapter_config.json
printf '{' >others/gpt/adapter_config.json
sed 's/blk\.0\.attn_q\.weight/blk.0.attn_z.weight/' "$tiny" >others/damaged/renamed.gguf
head -c 100000 "$tiny" >others/damaged/cut.gguf
head -c 100 "$tiny" >others/damaged/odd.gguf
cp "$tiny" others/damaged/late-00002-of-00002.gguf
cp -r "$family" others/damaged/short
python3 - others/damaged/short/model.safetensors <<'END' || stop "no damaged folder"
import sys
bytes = open(sys.argv[1], "rb").read()
open(sys.argv[1], "wb").write(bytes.replace(b"model.layers.0.mlp.up_proj", b"model.layers.0.mlp.op_proj"))
END

export DUNLIN_MODELS=$work/nowhere:$work/more::$work/own-model/:$work/others

# What is listed, and whether it can be used.
ends 0 models --json
python3 - out <<'END' >list || stop "not JSON"
import json, sys
for model in json.load(open(sys.argv[1])):
    print(model["name"], "yes" if model["usable"] else "no")
END
# The models of the folder that the program was built in or installed with are listed too.
while read -r line; do
    grep -qxF "$line" list || fail "not listed: $line"
done <<'END'
here.gguf yes
deep/er/Below.Q8_0.GGUF yes
hf:org/tiny/tiny.gguf yes
hf:org/tiny/dead.gguf no
hf:gpt/only.gguf yes
ollama:gem:latest yes
ollama:gem:270m yes
ollama:somebody/own:q4 yes
ollama:host/a/b:gone no
ollama:host/a/b:odd no
ollama:host/a/b:none no
ollama:host/a/b:torn no
lmstudio:pub/repo/studio.gguf yes
own-model yes
both/hf yes
both/hf/twin.gguf yes
pickled no
adapter no
prompt no
gpt no
damaged/renamed.gguf no
damaged/cut.gguf no
damaged/odd.gguf no
damaged/late-00002-of-00002.gguf yes
damaged/short no
END
! grep -q loop list || fail "a link that leads up is followed: $(cat list)"
[ "$(grep -c '^ours-' list)" = 1 ] || fail "a model in two parts is listed by its first"
! grep -q 'notes\|datasets\|ours-00002-of' list || fail "listed, but no model: $(cat list)"
ends 0 models
matches out '^here.gguf +llama +[0-9.]+M +[A-Z0-9_]+ +[0-9]+ KiB +[0-9]+ +[0-9]+ [KM]iB$'
says out 'ollama:host/a/b:gone: its manifest names a blob that is not there'
says out "ollama:host/a/b:odd: "
says out "the model's digest is 'sha256:../../secret'"
says out 'an Ollama manifest without a model'
says out 'hf:org/tiny/dead.gguf: No such file'
says out 'pickled: holds pickled weights, which are not read; expected model.safetensors beside config.json'
says out "adapter: holds an adapter of PEFT (LORA), which is no model, for 'org/base'; expected that model, or both"
says out 'prompt: holds an adapter of PEFT (PROMPT_TUNING), which is no model; expected that model; its prompt is'
says out 'gpt: holds an adapter of PEFT, which is no model; expected that model'
says out "renamed.gguf: tensor 'blk.0.attn_q.weight' is missing"
matches out '^damaged/cut.gguf +llama +98 KiB +no$'
says out 'damaged/cut.gguf: tensor '
matches out '^damaged/odd.gguf +0 KiB +no$'
matches out '^damaged/odd.gguf: .*truncated'
says out "damaged/short: tensor 'model.layers.0.mlp.up_proj.weight' is missing"
matches out '^pickled +llama +[0-9 ]*KiB +no$'
[ "$(grep -c 'holds safetensors with config.json' err)" = 1 ] || fail 'a warning is said twice'

# Names that mean one model; the message names the part that was taken for it.
while read -r name said; do
    echo aa | "$dunlin" tokenize --model "$name" >out 2>err || fail "--model $name"
    says out '"ids":'
    [ -z "$said" ] || says err "the model '$name' is taken for $said"
    [ -n "$said" ] || [ ! -s err ] || fail "--model $name says something"
done <<'END'
models/here.gguf
here.gguf
ollama:gem
ollama:gem:270m
OLLAMA:Gem:latest
hf:org/tiny/tiny.gguf
lmstudio:pub/repo/studio.gguf
studio lmstudio:pub/repo/studio.gguf
below deep/er/Below.Q8_0.GGUF
somebody ollama:somebody/own:q4
studiogguf lmstudio:pub/repo/studio.gguf
Below-Q8.0 deep/er/Below.Q8_0.GGUF
END

# Two that fit, none, and one that is broken.
ends 2 tokenize --model .gguf
says err 'several models fit: '
says err "here.gguf ($work/models/here.gguf), "
says err 'hf:org/tiny/tiny.gguf'
ends 3 tokenize --model ollama:host/a/b:gone
says err 'ollama:host/a/b:gone: its manifest names a blob that is not there'
ends 3 tokenize --model ollama:nobody

# One name, two models: equal letters go before letters of another case, two of the same name are refused with both.
cp "$tiny" models/Case.gguf
printf 'GGUF' >more/case.gguf
ends 0 tokenize --model Case.gguf
cp "$tiny" more/deep/here.gguf
cp "$tiny" more/here.gguf
ends 2 tokenize --model here.gguf
says err "here.gguf ($work/models/here.gguf), here.gguf ($work/more/here.gguf)"
rm more/here.gguf more/deep/here.gguf more/case.gguf

# An adapter does not stand in the way of the model that it is for, and is refused by its path too.
mkdir others/own-model-lora && cp others/adapter/* others/own-model-lora
ends 0 tokenize --model own-mod
says err "the model 'own-mod' is taken for own-model, "
for name in own-model-lora others/adapter; do
    ends 3 tokenize --model $name
    says err 'holds an adapter of PEFT (LORA)'
done

# A file that is there wins over a name, and what a run stores is a path.
mkdir studio && cp "$tiny" studio/studio
for i in 1 2 3; do
    printf 'aa ab %d\tlow\nzz zy %d\thigh\n' "$i" "$i"
done >data.tsv
printf '%s\n' '[train]' 'epochs = 1' '[prompt]' 'init = random' 'tokens = 2' | tiny_config data.tsv >config.ini
ends 0 train config.ini --out run --set device.check=no --set model.path=gem:270m
says run/config.ini "path = $ollama/blobs/sha256-$digest"
ends 0 classify run --set model.path=studio/studio

# What an export tells PEFT: the repository, the folder, or a file's name, which is said to be of no use.
# base_of RUN: the base of its export.
base_of() {
    rm -rf adapter-out
    ends 0 export "$1" --format peft --out adapter-out
    python3 -c 'import json; print(json.load(open("adapter-out/adapter_config.json"))["base_model_name_or_path"])'
}
[ "$(base_of run)" = "sha256-$digest" ] || fail "the base of a blob: $(base_of run)"
says err "base_model_name_or_path is 'sha256-$digest', which PEFT does not find"
mkdir -p "$HOME/.cache/huggingface/hub/models--my-org--llama-x/snapshots"
cp -r "$family" "$HOME/.cache/huggingface/hub/models--my-org--llama-x/snapshots/1"
for case in "hf:my-org/llama-x my-org/llama-x" "own-model $work/own-model"; do
    rm -rf folder-run
    ends 0 train config.ini --out folder-run --set device.check=no --set data.max_length=16 --set "model.path=${case% *}"
    [ "$(base_of folder-run)" = "${case#* }" ] || fail "the base of ${case% *}: $(base_of folder-run)"
    says err "base_model_name_or_path is '${case#* }'"
    ! grep -q 'does not find' err || fail "the base of ${case% *} is said to be of no use"
done
ends 3 train config.ini --out run2 --set model.path=ollama:nobody
says err 'no such file'

# Nothing anywhere: the program far from the folder that it belongs to.
mkdir empty && cp "$dunlin" empty/dunlin && cd empty || exit 1
HOME=$work/empty DUNLIN_MODELS='' ./dunlin models >../out 2>../err || fail "no models are an error"
says ../err 'no models found'
HOME=$work/empty DUNLIN_MODELS='' ./dunlin models --json >../out 2>../err
[ "$(cat ../out)" = '[]' ] || fail "no models as JSON"
finish
