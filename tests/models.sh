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

export DUNLIN_MODELS=$work/nowhere:$work/more::

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
hf:gpt/only.gguf yes
ollama:gem:latest yes
ollama:gem:270m yes
ollama:somebody/own:q4 yes
ollama:host/a/b:gone no
ollama:host/a/b:odd no
ollama:host/a/b:none no
ollama:host/a/b:torn no
lmstudio:pub/repo/studio.gguf yes
END
[ "$(grep -c '^ours-' list)" = 1 ] || fail "a model in two parts is listed by its first"
! grep -q 'notes\|datasets\|00002-of' list || fail "listed, but no model: $(cat list)"
ends 0 models
matches out '^here.gguf +llama +[0-9.]+M +[A-Z0-9_]+ +[0-9]+ KiB +[0-9]+ +[0-9]+ [KM]iB$'
says out 'ollama:host/a/b:gone: its manifest names a blob that is not there'
says out "ollama:host/a/b:odd: "
says out "the model's digest is 'sha256:../../secret'"
says out 'an Ollama manifest without a model'

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

# A file that is there wins over a name, and what a run stores is a path.
mkdir studio && cp "$tiny" studio/studio
for i in 1 2 3; do
    printf 'aa ab %d\tlow\nzz zy %d\thigh\n' "$i" "$i"
done >data.tsv
printf '%s\n' '[train]' 'epochs = 1' '[prompt]' 'init = random' 'tokens = 2' | tiny_config data.tsv >config.ini
ends 0 train config.ini --out run --set device.check=no --set model.path=gem:270m
says run/config.ini "path = $ollama/blobs/sha256-$digest"
ends 0 classify run --set model.path=studio/studio
ends 3 train config.ini --out run2 --set model.path=ollama:nobody
says err 'no such file'

# Nothing anywhere: the program far from the folder that it belongs to.
mkdir empty && cp "$dunlin" empty/dunlin && cd empty || exit 1
HOME=$work/empty DUNLIN_MODELS='' ./dunlin models >../out 2>../err || fail "no models are an error"
says ../err 'no models found'
HOME=$work/empty DUNLIN_MODELS='' ./dunlin models --json >../out 2>../err
[ "$(cat ../out)" = '[]' ] || fail "no models as JSON"
finish
