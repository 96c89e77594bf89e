#!/usr/bin/env bash
# Runs a test in a lane: a folder of compiled kernels that no other test uses meanwhile, because processes that share
# PoCL's have crashed. There are as many lanes as tests run at a time; what a test compiled goes into a pool, from
# which the next one of any lane, and of any build, has it. Usage: lane.sh FOLDER CACHE COMMAND...
set -euo pipefail

folder=$1
cache=$2
shift 2
mkdir -p "$folder/pool"

# The first lane that is free; a test that is killed lets go of it.
lane=0
exec 8>"$folder/0.lock"
until flock -n 8; do
    lane=$((lane + 1))
    exec 8>"$folder/$lane.lock"
done

# share FROM TO: what FROM has more than TO, as links: PoCL never writes into what it has finished.
share() {
    (
        flock 9
        cp -rln "$1/." "$2/"
    ) 9>"$folder/pool.lock" 8>&-
}

# Kernels that changed stay behind: some thousand of them are more to look through than to compile.
if [ "$(find "$folder/pool" -mindepth 2 -maxdepth 2 | wc -l)" -gt 3000 ]; then
    (
        flock 9
        rm -rf "$folder/pool"
        mkdir "$folder/pool"
    ) 9>"$folder/pool.lock"
    rm -rf "${folder:?}/$lane"
fi
mkdir -p "$folder/$lane"
share "$folder/pool" "$folder/$lane"
status=0
POCL_CACHE_DIR=$folder/$lane DUNLIN_CACHE=$cache-$lane "$@" 8>&- || status=$?
rm -f "$folder/$lane"/tempfile_*
share "$folder/$lane" "$folder/pool"
exit $status
