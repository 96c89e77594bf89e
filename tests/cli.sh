#!/usr/bin/env bash
# The program from outside: exit codes, what goes to stdout and what to stderr, and outputs that cannot be
# written. Usage: cli.sh DUNLIN VERSION
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
version=$2

# expect STATUS ARGS...: runs dunlin, stdin empty, into `out` and `err`; a failure is one line on stderr and
# prints nothing else, success has no message.
expect() {
    local wanted=$1
    ends "$@"
    shift
    if [ "$wanted" -eq 0 ]; then
        [ ! -s err ] || fail "dunlin $*: a message though it succeeded"
    else
        [ ! -s out ] || fail "dunlin $*: output though it failed"
        [ "$(wc -l <err)" -eq 1 ] || fail "dunlin $*: not exactly one line on stderr"
        grep -q '^dunlin: ' err || fail "dunlin $*: stderr does not open with its name"
    fi
}

expect 0 --version
[ "$(cat out)" = "dunlin $version" ] || fail "--version"
expect 0 --help
says out 'Usage: dunlin COMMAND'
mapfile -t commands < <(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' out)
[ ${#commands[@]} -ge 3 ] || fail "--help lists no commands"
for command in "${commands[@]}"; do
    [ "$command" != help ] || continue
    expect 0 "$command" --help
    says out "Usage: dunlin $command"
    cp out long
    expect 0 help "$command"
    cmp -s out long || fail "help $command is not $command --help"
    expect 0 "$command" -h
    cmp -s out long || fail "$command -h is not $command --help"
    expect 2 "$command" --no-such-option
    says err "$command: unknown option --no-such-option"
done
expect 0 help
says out 'Usage: dunlin COMMAND'

expect 2
says err 'dunlin --help'
expect 2 tokenise
says err 'the nearest is tokenize'
expect 2 --verison
says err 'the nearest is --version'
expect 2 devices --jsom
says err 'the nearest is --json'
expect 2 devices --json=1
expect 2 devices 0 1
expect 2 help me
expect 2 tokenize
says err '--model'
expect 2 tokenize --model
expect 2 tokenize --model x --input xml
says err 'lines|jsonl'

expect 2 train
expect 2 train nothing.ini
says err 'nothing.ini'
printf '[train]\nepochs = 3\nepoch = 3\n' >bad.ini
expect 2 train bad.ini
says err 'bad.ini:3: '
printf '[model]\npath = nothing.gguf\n[prompt]\ninit = vocab\n' >good.ini
expect 2 train good.ini --set train.epochs=many
expect 2 train good.ini --set train.epoch=1
expect 3 train good.ini
says err 'nothing.gguf'
mkdir empty
expect 3 classify empty

expect 3 tokenize --model nothing.gguf
says err 'nothing.gguf'
expect 3 tokenize --model .
printf 'version https://git-lfs.github.com/spec/v1\n' >pointer.gguf
expect 3 tokenize --model pointer.gguf
says err 'pointer.gguf'

# A device that is not there, with an OpenCL driver or without one.
expect 4 devices no-such-device
OCL_ICD_VENDORS=$work/none expect 4 devices
says err 'OpenCL'

# Standard output full, closed, or without a reader: the last ends as the signal would end it.
"$dunlin" --help >/dev/full 2>err && fail "a full disk on stdout was not noticed"
says err 'standard output cannot be written'
"$dunlin" --help >&- 2>err && fail "a closed stdout was not noticed"
says err 'standard output cannot be written'
exec 3> >(:)
wait $!
"$dunlin" --help >&3 2>err
status=$?
[ $status -eq 141 ] || fail "a broken pipe: exit status $status, expected 141"
[ ! -s err ] || fail "a broken pipe: a message that nobody needs"
exec 3>&-

finish
echo "all as expected"
