# Shell functions of the tests in which ranks fail; sourced after lib.sh, where $dunlin and perhaps $mpi are set.
# shellcheck shell=bash disable=SC2034,SC2154 # what it is given, and what it is for

most=3 wanted_mpi=${mpi:-}
# shellcheck source=tests/ranks_lib.sh
source "$here/ranks_lib.sh"
mpi=${wanted_mpi:-${mpis[0]}}
[[ " ${mpis[*]} " == *" $mpi "* ]] || skip "no $mpi here"
before=() # words before the launcher's, and
with=()   # behind its own

# What every rank begins as: it leaves its number and process, and becomes the program, through ./only-RANK where there
# is one.
cat >as-rank <<'END'
#!/usr/bin/env bash
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK}}
echo $$ >"pids/.new-$rank"
mv "pids/.new-$rank" "pids/$rank"
[ ! -e "only-$rank" ] || exec "./only-$rank" "$@"
exec "$@"
END
chmod +x as-rank

# only RANK: what that rank does before it becomes the program, from standard input.
only() {
    { echo '#!/usr/bin/env bash' && cat && echo 'exec "$@"'; } >"only-$1"
    chmod +x "only-$1"
}

# begin N WORDS...: dunlin with these words as N ranks in the background; $job is the launcher.
begin() {
    local n=$1
    shift
    rm -rf pids
    mkdir pids
    start "$mpi" "$n"
    "${before[@]}" "${start[@]}" "${with[@]}" ./as-rank "$dunlin" "$@" </dev/null >out 2>err &
    job=$!
}

# until_there CONDITION...: waits until that command succeeds, while the job goes on.
until_there() {
    comes "$job" err "$@"
}

# pid_of RANK
pid_of() {
    cat "pids/$1"
}

# is_running PID: there, and no process that only waits to be asked how it ended.
is_running() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
    [ -n "$state" ] && [ "$state" != Z ]
}
any_running() {
    local file
    for file in pids/*; do
        [ ! -e "$file" ] || ! is_running "$(cat "$file")" || return 0
    done
    return 1
}

# ended_within SECONDS WHAT [ranks]: the launcher and all ranks, or the ranks alone, from now on; what does not is killed.
# $status is the launcher's.
ended_within() {
    local until=$((SECONDS + $1)) what=$2 file left
    while any_running || { [ "${3:-}" != ranks ] && is_running "$job"; }; do
        if [ $SECONDS -ge $until ]; then
            left=$(ps -o pid,stat,args -p "$(cat pids/* | paste -sd,),$job")
            for file in pids/*; do kill -KILL "$(cat "$file")" 2>/dev/null; done
            fail "$what: still there after $1 s: $left"
            break
        fi
        sleep 0.05
    done
    ! is_running "$job" || kill -KILL "$job"
    wait "$job" 2>/dev/null
    status=$?
}

# goes_on RUN CONFIG N: as N ranks, to the same bytes.
goes_on() {
    local file
    rm -f only-*
    begin "$3" train -q --resume "$1"
    ended_within 300 "$1 resumed"
    [ $status -eq 0 ] || fail "$1 resumed: status $status"
    for file in prompt.safetensors history.jsonl predictions.tsv; do
        cmp "undisturbed-$2/$file" "$1/$file" || fail "$1/$file differs from the undisturbed run's"
    done
}
# Lines of dunlin's own; a launcher has its own to say.
one_message() {
    [ "$(grep -c '^dunlin: ' err)" -eq 1 ] || fail "$1: not one message: $(grep '^dunlin: ' err)"
}
# Whoever noticed first names it: dunlin, Open MPI by its number in the job, MPICH says a process and host.
names_rank() {
    cat out err | grep -qE "rank $1 |\[[0-9]+,[0-9]+\],$1\]|PID [0-9]+ RUNNING AT" || fail "nobody names rank $1"
}
begun() {
    [ -s "$1/history.jsonl" ]
}
logged() {
    grep -qs "$2" "$1/run.log"
}

# refused STATUS WHAT TEXT...: two ranks end with that status before a step, within $limit seconds (60), and one message
# with all these texts.
refused() {
    local wanted=$1 what=$2 text
    shift 2
    rm -rf refused
    begin 2 train -q config.ini --out refused
    ended_within "${limit:-60}" "$what"
    [ $status -eq "$wanted" ] || fail "$what: status $status, expected $wanted"
    one_message "$what"
    for text in 'rank 1 on ' "$(uname -n)" "$@"; do
        says err "$text"
    done
    [ ! -s refused/history.jsonl ] || fail "$what: a step was done"
    rm -f only-*
}
