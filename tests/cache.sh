#!/usr/bin/env bash
# `dunlin cache`, and what training says of kernels: compiled, then taken from the cache; compiled again when
# the cache is damaged, off, or cannot be written. Two processes at once. Usage: cache.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
export DUNLIN_CACHE=$work/cache

texts 3 >data.tsv
short_config data.tsv 1 >config.ini

runs=0
# train TEXT: trains, and says TEXT.
train() {
    "$dunlin" train config.ini --out run-$((++runs)) >out 2>err || stop "training"
    grep -q "$1" err || stop "training does not say: $1"
    cmp -s run-1/prompt.safetensors run-$runs/prompt.safetensors || stop "another result than the first"
}

train 'kernels   compiled in'
train 'kernels   from the cache in'
"$dunlin" cache >out 2>err || stop "listing"
grep -q '^programs .* driver .*-DWG=' out || stop "the program is not listed"
"$dunlin" cache --json >out 2>err || stop "listing as JSON"
grep -q '^\[{"kind":"programs","bytes":' out || stop "not JSON"
programs=(cache/programs/*.cache)
printf 'X' | dd of="${programs[0]}" bs=1 seek=60 conv=notrunc status=none
train 'what was kept is ignored: its checksum is wrong'
train 'kernels   from the cache in'
"$dunlin" cache clear >out 2>err || stop "clearing"
[ -z "$(ls cache/programs)" ] || stop "clearing leaves files"
grep -q 'removed from' out || stop "clearing says nothing"

# Two at once, from nothing.
"$dunlin" train config.ini --out a >out 2>err &
pid=$!
"$dunlin" train config.ini --out b >out-b 2>err-b || stop "two at once: $(cat err-b)"
wait $pid || stop "two at once"
cmp -s a/prompt.safetensors b/prompt.safetensors || stop "two at once: other results"
files=(cache/programs/*)
[ ${#files[@]} -eq ${#programs[@]} ] || stop "two at once: ${files[*]}"

: >file
DUNLIN_CACHE=$work/file train 'kernels   compiled in .*; they cannot be kept: '
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked && chmod a-w locked
    DUNLIN_CACHE=$work/locked train 'kernels   compiled in .*; they cannot be kept: '
fi
DUNLIN_CACHE=off train 'kernels   compiled in'
DUNLIN_CACHE=off "$dunlin" cache >out 2>err
[ $? -eq 1 ] || stop "a cache that is off can be listed"
"$dunlin" cache empty >out 2>err
[ $? -eq 2 ] || stop "an unknown word"
printf 'all good\n'
