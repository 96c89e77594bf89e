# Shell functions that the tests share; sourced first, after `set`. Leaves the test in a folder of its own, $work,
# which goes when it ends. Commands write to `out` and `err` there.
# shellcheck shell=bash

device=${DUNLIN_TEST_DEVICE:-cpu}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
cd "$work" || exit 1
n_failed=0
: "$device" "$here"

# However a test ends, a failure that was counted makes its status 1, and no process that it began goes on.
leave() {
    local status=$? left
    left=$(jobs -rp)
    # shellcheck disable=SC2086 # one a word
    [ -z "$left" ] || kill -KILL $left 2>/dev/null
    chmod -R u+rwx "$work"
    rm -rf "$work"
    [ "$n_failed" -eq 0 ] || exit 1
    exit $status
}
trap leave EXIT

# fail WHAT: counts a failure, shows what was printed, and goes on.
fail() {
    local file
    printf 'FAILED: %s\n' "$*"
    for file in "$work/out" "$work/err"; do
        [ ! -s "$file" ] || printf '  %s: %s\n' "${file##*/}" "$(head -c 2000 "$file")"
    done
    n_failed=$((n_failed + 1))
}
# stop WHAT: the same where nothing after it makes sense.
stop() {
    fail "$@"
    exit 1
}
# finish: the end of a test that went on after failures.
finish() {
    [ "$n_failed" -eq 0 ] || exit 1
}
# skip WHY: ends a test that cannot be done here.
skip() {
    printf 'SKIPPED: %s\n' "$*"
    exit 77
}

# ends STATUS ARGS...: runs dunlin with stdin empty or from $input; it ends with that status.
ends() {
    local wanted=$1 status
    shift
    # shellcheck disable=SC2154 # dunlin is what the test was given
    "$dunlin" "$@" <"${input:-/dev/null}" >out 2>err
    status=$?
    [ $status -eq "$wanted" ] || fail "dunlin $*: exit status $status, expected $wanted"
}
# comes PROCESS LOG COMMAND...: waits until the command succeeds. Where the process ends before, nothing does any more.
comes() {
    local process=$1 log=$2
    shift 2
    until "$@"; do
        kill -0 "$process" 2>/dev/null || stop "it ended before this: $*: $(tail -n 5 "$log")"
        sleep 0.01
    done
}
# longer FILE BYTES: it has more than these.
longer() {
    [ "$(stat -c %s "$1")" -gt "$2" ]
}
# interrupts PROCESS: Ctrl-C for a training, which leaves with the status of that.
interrupts() {
    kill -INT "$1"
    wait "$1"
    [ $? -eq 130 ] || stop 'the run to interrupt was not'
}
# says FILE TEXT, matches FILE REGEX: what FILE contains.
says() {
    grep -qF -e "$2" "$1" || fail "$1 does not contain '$2': $(head -c 400 "$1")"
}
matches() {
    grep -qE -e "$2" "$1" || fail "$1 does not match '$2': $(head -c 400 "$1")"
}

# tiny_config VALID: the config of a run with the first tiny model that learns data.tsv and is measured on VALID;
# standard input follows.
tiny_config() {
    # shellcheck disable=SC2154 # fixtures is what the test was given
    printf '%s\n' '[device]' "use = $device" '[model]' "path = $fixtures/tiny-a.gguf" \
        '[data]' 'train = data.tsv' "valid = $1"
    cat
}

# texts N [LOW HIGH]: N texts of the class low and N of high, by turns, with these words in them.
texts() {
    local i
    for ((i = 1; i <= $1; i++)); do
        printf '%s %d\tlow\n%s %d\thigh\n' "${2:-aa ab ba}" "$i" "${3:-zz zy yz}" "$i"
    done
}
# short_config VALID EPOCHS: the config of a training that is little but its steps.
short_config() {
    tiny_config "$1" <<END
[device]
check = no
[prompt]
init = random
tokens = 3
[train]
epochs = $2
batch_size = 5
probe = no
[output]
report = no
END
}

# differ A B WHAT: both files are there, and not the same.
differ() {
    if [ ! -s "$1" ] || [ ! -s "$2" ] || cmp -s "$1" "$2"; then
        fail "$3 ($1, $2)"
    fi
}

# record RUN KEY=VALUE... [@AGE]: changes the mark's record.
record() {
    local file=$1/.dunlin change
    shift
    for change in "$@"; do
        case $change in
            @*) touch -d "${change#@}" "$file" ;;
            *) sed -i "s/\"${change%%=*}\":[^,}]*/\"${change%%=*}\":${change#*=}/" "$file" ;;
        esac
    done
}
