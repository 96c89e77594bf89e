#!/usr/bin/env bash
# Every shipped config runs, on a small cut of its data with a tiny model: experiments, quickstart, boids, and
# whatever stands beside them. Usage: configs.sh DUNLIN SOURCE
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
cd "$2" || exit 1

# Bytes are its tokens, so the words of a template are many.
tools/random-model "$work/tiny.gguf" --layers 2 --width 32 --heads 4 --kv-heads 2 --ffn 64 --vocab 300 --context 512 \
    >/dev/null || exit 1
small=(--device "$device" --set "model.path=$work/tiny.gguf" --set data.limit_train=12
    --set data.limit_valid=10 --set train.epochs=1 --set train.batch_size=6 --quiet)

configs=()
for config in config/*.ini config/experiments/*.ini; do
    case $config in
    config/default.ini | config/devices.ini) continue ;; # every key; rows of tuning
    esac
    if grep -q '^\[boids\]' "$config"; then
        "$dunlin" boids "$config" --device "$device" --out "$work/$(basename "$config")" --quiet \
            >"$work/out" 2>"$work/err" || fail "boids $config"
    else
        configs+=("$config")
    fi
done
[ ${#configs[@]} -ge 9 ] || fail "only ${#configs[@]} configs are here"
"$dunlin" train "${configs[@]}" "${small[@]}" --out "$work/all" >"$work/out" 2>"$work/err" ||
    fail "train ${configs[*]}"
for config in "${configs[@]}"; do
    name=$(basename "$config" .ini)
    compgen -G "$work/all/*-$name/metrics.json" >/dev/null || fail "$config: no result"
done

finish
cat "$work/out"
