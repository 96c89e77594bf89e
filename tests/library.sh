#!/usr/bin/env bash
# library.sh FOLDER ROOM...: what the rooms below cmd, built in FOLDER, leave to the program that uses them: stdout and
# stderr, signals, and how the process ends; and their names, which begin with dun_ and stay inside a shared library.
set -u
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
folder=$1
shift
[ $# -gt 5 ] || fail "only these rooms are looked at: $*"

theirs='^(stdout|stderr|printf|vprintf|__printf_chk|__vprintf_chk|puts|putchar|perror|psignal|warn|warnx|err|errx
|exit|_exit|_Exit|quick_exit|abort|atexit|raise|longjmp|siglongjmp|_setjmp|setjmp|__sigsetjmp
|signal|sigaction|sigprocmask|pthread_sigmask)$'
for room in "$@"; do
    library=$folder/libdun_$room.a
    nm "$library" >out 2>err || fail "$library: nm cannot read it"
    awk 'NF == 2 && $1 == "U" {print $2}' out | sort -u | grep -Ex "${theirs//$'\n'/}" >found &&
        fail "$room calls what belongs to the program: $(tr '\n' ' ' <found)"
    awk 'NF == 3 && $2 ~ /[A-TV-Z]/ && $3 !~ /^(dun_|dunlin_|__|asan)/ {print $3}' out >found
    [ ! -s found ] || fail "$room has names without dun_: $(tr '\n' ' ' <found)"
    readelf -sW "$library" 2>err |
        awk '$4 ~ /FUNC|OBJECT/ && $5 == "GLOBAL" && $6 == "DEFAULT" && $7 != "UND" {print $8}' |
        grep '^dun_' >found && fail "$room shows its names outside of a shared library: $(tr '\n' ' ' <found)"
done
: >out
