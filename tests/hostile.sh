#!/usr/bin/env bash
# A driver that turns hostile on demand (icds/layer_hostile.c): builds that hang, crash or fail, a device that is lost in
# the middle, sums that are wrong, NaN, too little memory, limits that are lies. Each command survives or refuses, with
# one message and the status that is documented; nothing lasts longer than its limit; a run that was lost is resumed to
# the same bytes. Usage: hostile.sh DUNLIN FIXTURES LAYER
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
layer=$3
ulimit -c 0
kept=${DUNLIN_CACHE:-$work/kept}

OPENCL_LAYERS=$layer OCL_HOSTILE=lies "$dunlin" devices --json >out 2>err
grep -q '"compute_units":640' out || skip "this OpenCL loader takes no layers"

texts 10 >data.tsv
cut -f 1 data.tsv >texts.txt
short_config data.tsv 4 >config.ini
printf 'checkpoint_every = 3\n' >>config.ini
ends 0 train config.ini -q --device "$device" --out run
ends 0 classify run texts.txt --device "$device"
cut -f 1 out >right

# hostile WHAT STATUS ARGS...: dunlin under such a driver, in a minute, with what it keeps in $cache.
hostile() {
    local what=$1 wanted=$2 status
    shift 2
    (
        DUNLIN_CACHE=${cache:-$kept} OPENCL_LAYERS=$layer OCL_HOSTILE=$what \
            timeout -k 1 "${limit:-300}" "$dunlin" "$@" >out 2>err </dev/null
        exit $?
    ) 2>/dev/null
    status=$?
    [ $status -eq "$wanted" ] || fail "$what: dunlin $*: exit status $status, expected $wanted"
    [ "$(grep -c '^dunlin: ' err)" -le 1 ] || fail "$what: dunlin $*: more than a message"
}
# A layer that does nothing changes nothing.
hostile nothing 0 classify run texts.txt --device "$device"
[ "$(cut -f 1 out)" = "$(cat right)" ] || fail "a layer that does nothing: other answers"

# --- refused, and said; a fresh cache where a device must be tried and tested first.
n=0
while IFS='|' read -r what status fresh words args; do
    cache=$kept
    [ "$fresh" != fresh ] || cache=$work/cache-$((n++))
    # shellcheck disable=SC2086 # the row is words
    hostile "$what" "$status" $args --device "$device"
    matches err "^dunlin: .*$words"
    [ ! -e refused ] || fail "$what: a refused run leaves its folder"
    rm -rf refused
done <<'END'
crash-build|4|fresh|cannot build kernels: a small one was tried in a process of its own .killed by signal 6|train config.ini -q --out refused
wrong|4|fresh|cannot build kernels: .*exit code 4|train config.ini -q --out refused
wrong=1|4|fresh|fails the self-test: .*relative L2 error|train config.ini -q --out refused --set device.check=yes
nan=1|4|fresh|fails the self-test: .* got nan|check --quick
lies=1|4|kept|cannot build kernels: .*exit code 4|classify run texts.txt
memory=300000|4|kept|CL_MEM_OBJECT_ALLOCATION_FAILURE|classify run texts.txt
memory=300000|4|kept|CL_MEM_OBJECT_ALLOCATION_FAILURE|train config.ini -q --out refused
fail-build|4|kept|cannot build kernels: .*exit code 4|classify run texts.txt
fail-build=1|4|kept|the kernels do not compile: .*CL_BUILD_PROGRAM_FAILURE|classify run texts.txt
crash-build|134|kept|a fault in a driver, or in its own code, ends this process|classify run texts.txt
lose=5|4|kept|CL_DEVICE_NOT_AVAILABLE|classify run texts.txt
lose-late=5|4|kept|CL_OUT_OF_RESOURCES .* on |classify run texts.txt
nan=20|1|kept|the loss is nan at step .*: training stopped|train config.ini -q --out lost-to-nan
END
cache=$kept

# --- a GPU, which this driver only says to be: what it cannot hold is refused before it is loaded, and workers of a
# server, of which each would hold the weights once more, are refused at all.
gpu() {
    hostile "$1" "$2" "${@:4}" --device 0
    matches err "^dunlin: .*$3"
    [ ! -e refused ] || fail "$1: a refused run leaves its folder"
    rm -rf refused
}
for weights in f32 stored auto; do
    gpu gpu=20000 4 "the model's weights take 0 MB as .*, and the device has 0 MB free; no form fits" \
        train config.ini -q --set "device.weights=$weights" --out refused
done
gpu gpu 2 '--workers 2: workers share the processors, and .* is none' serve run --port 0 --workers 2

# --- lies that are too large: the same answers all the same.
hostile lies 0 classify run texts.txt --device "$device"
[ "$(cut -f 1 out)" = "$(cat right)" ] || fail "lies about limits: other answers"

# --- an instruction that the driver does not take, of a unit that is promised: it costs the variant, not the run.
for capability in 75 80; do
    hostile nvidia=$capability 0 train config.ini -q --device "$device" --out "nvidia$capability" --set device.precision=half
    grep -o '"precision_reason":"[^"]*"' "nvidia$capability/metrics.json" >reason
    said=$(grep -c 'nvidia_mma, tried in a process of its own' reason)
    [ "$said" -eq $((capability >= 80)) ] || fail "capability $capability: $(cat reason)"
done

# --- lost in the middle of a run: what was saved is gone on with, to the bytes of one that nobody disturbed.
for what in lose=900 lose-late=900; do
    hostile $what 4 train config.ini -q --device "$device" --out "${what%=*}"
    matches err "^dunlin: .*CL_(DEVICE_NOT_AVAILABLE|OUT_OF_RESOURCES) .* on "
    [ -e "${what%=*}/checkpoint" ] || fail "$what: nothing was saved before"
    [ ! -e "${what%=*}/metrics.json" ] || fail "$what: the run was finished"
    ends 0 train -q --resume "${what%=*}" --device "$device"
    for file in prompt.safetensors history.jsonl predictions.tsv; do
        cmp -s run/$file "${what%=*}/$file" || fail "$what, resumed: other bytes in $file"
    done
done

# --- compare: a row, never the end, and no longer than its limit; nobody stays behind.
hostile crash-build=1 4 compare config.ini --device "$device" --out crashed
matches out 'failed, killed by signal 6 .*a fault in a driver'
matches out 'self-test killed by signal 6'
for what in hang-build hang-build=2; do
    cache=$work/cache-$what
    limit=60 hostile $what 4 compare config.ini --device "$device" --out "$what" --timeout 3
    matches out 'failed, took longer than 3 s and was ended; self-test took longer than 3 s'
    for ((i = 0; i < 200; i++)); do # who was killed may take a while to be gone
        left=$(grep -lzF "DUNLIN_CACHE=$cache" /proc/[0-9]*/environ 2>/dev/null)
        [ -n "$left" ] || break
        sleep 0.05
    done
    [ -z "$left" ] || fail "$what: processes stay behind: $left"
done
cache=$kept
hostile wrong=30 4 compare config.ini --device "$device" --out off --save off.json
matches err '^dunlin: no result of .*: it fails the self-test'
[ ! -e off.json ] || fail "a result of a device that computes wrong"

# --- tune: a candidate that ends its process costs itself alone; when none is left, it says so.
hostile lose=60 4 tune --model "$fixtures/tiny-a.gguf" --device "$device" --quick
matches err '^dunlin: .*even the plainest kernels do not run .exit code 4: .*CL_DEVICE_NOT_AVAILABLE'
hostile crash-build=1 4 tune --model "$fixtures/tiny-a.gguf" --device "$device" --quick
matches err '^dunlin: .*even the plainest kernels do not run .killed by signal 6'

# --- serve: requests after the loss are refused, and it ends when it is told to.
DUNLIN_CACHE=$kept OPENCL_LAYERS=$layer OCL_HOSTILE=lose-late=150 "$dunlin" serve run --port 0 --device "$device" \
    >served-out 2>served &
server=$!
comes $server served grep -q '^serving' served
address=$(grep -o 'http://[^ ]*' served)
python3 - "$address" >out 2>err <<'END' || fail "serve under a device that is lost"
import json, sys, urllib.error, urllib.request
answers = []
for _ in range(40):
    request = urllib.request.Request(sys.argv[1] + "classify", b'{"text": "aa ab"}', {"Content-Type": "application/json"})
    try:
        answers.append(urllib.request.urlopen(request, timeout=60).status)
    except urllib.error.HTTPError as error:
        answers.append(error.code)
        json.load(error)
    except OSError:
        answers.append("gone")
        break
print(answers)
assert answers[0] == 200 and answers[-1] != 200, answers
assert all(a in (200, 500, 503, "gone") for a in answers), answers
END
kill $server 2>/dev/null
for ((i = 0; i < 200; i++)); do
    kill -0 $server 2>/dev/null || break
    sleep 0.05
done
! kill -0 $server 2>/dev/null || fail "serve does not end after its device was lost"
kill -9 $server 2>/dev/null
wait $server 2>/dev/null
finish
