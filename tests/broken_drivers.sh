#!/usr/bin/env bash
# What breaks under a driver and used to end the process without a word, with PoCL: its folder of compiled kernels damaged
# or of no use, no linker, a linker that fails; .icd files that name no library; threads and limits. Each is a row.
# Folders and mounts are the test's own. Usage: broken_drivers.sh DUNLIN FIXTURES ICD_NOTHING ICD_CRASH ICD_EXIT
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
nothing=$3
crash=$4
exits=$5
ulimit -c 0
unset POCL_KERNEL_CACHE POCL_MAX_PTHREAD_COUNT DUNLIN_PROGRAM
export HOME=$work/home XDG_CACHE_HOME=$work/xdg TMPDIR=$work/tmp DUNLIN_CACHE=$work/kept POCL_CACHE_DIR=$work/pocl
mkdir home tmp mnt
vendors=${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}
grep -lq pocl "$vendors"/*.icd 2>/dev/null || skip "PoCL is not installed"
mounts=no
if mount -t tmpfs -o size=16m,noexec none mnt 2>/dev/null; then
    umount mnt
    mounts=yes
else
    printf 'left out: what takes a mount (noexec and full file systems)\n'
fi
user=()
if [ "$(id -u)" -eq 0 ]; then
    if setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$dunlin" 2>/dev/null; then
        user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    else
        printf 'left out: what takes a user who may not do all\n'
    fi
fi

for i in 1 2 3 4 5 6 7 8; do
    printf 'aa ab %d\tlow\nzz zy %d\thigh\n' "$i" "$i"
done >data.tsv
cut -f 1 data.tsv >texts.txt
tiny_config data.tsv >config.ini <<'END'
[device]
check = no
[prompt]
init = random
tokens = 2
[train]
epochs = 1
probe = no
[output]
report = no
END
"$dunlin" train -q config.ini --out run >out 2>err || stop "training"
"$dunlin" classify run texts.txt >right 2>err || stop "classify"
[ ! -s err ] || stop "a whole folder is told of"

# answers WHAT: classify answers as before, and tells WHAT ("": nothing) on stderr, in a line.
answers() {
    "${run_as[@]}" "$dunlin" classify run texts.txt >out 2>err || fail "$name: exit status $?"
    cmp -s out right || fail "$name: other answers"
    if [ -n "$1" ]; then
        matches err "$1"
        [ "$(wc -l <err)" -eq 1 ] || fail "$name: more than a line"
    elif [ -s err ]; then
        fail "$name: something is told"
    fi
}
run_as=()

# --- files of PoCL's folder: how they are damaged, and what is told. FILE is the first kernel's or program's.
each_file() {
    find broken -name "$1" | sort | while IFS= read -r file; do "${@:2}" "$file"; done
}
zero() {
    head -c "$(stat -c %s "$1")" /dev/zero >"$1.new" && mv "$1.new" "$1"
}
damage() {
    case $1 in
    so-byte) each_file '*.so' truncate -s -1 ;;
    so-half) each_file '*.so' truncate -s 5000 ;;
    so-head) each_file '*.so' truncate -s 20 ;;
    so-empty) each_file '*.so' truncate -s 0 ;;
    so-zeros) each_file '*.so' zero ;;
    so-text) each_file '*.so' cp data.tsv ;;
    so-one) truncate -s 100 "$(find broken -name '*.so' | sort | tail -n 1)" ;;
    bc-empty) each_file program.bc truncate -s 0 ;;
    bc-word) each_file program.bc truncate -s -4 ;;
    bc-half) each_file program.bc truncate -s 30000 ;;
    bc-head) each_file program.bc truncate -s 4 ;;
    bc-zeros) each_file program.bc zero ;;
    bc-one) truncate -s -1 "$(find broken -name program.bc | sort | tail -n 1)" ;;
    none) : ;;
    beside) # what PoCL and others leave there
        : >broken/tempfile_abcdef
        : >broken/tempfile_abcdef.so
        mkdir -p broken/tempdir_x broken/AB/unfinished/kernel
        : >broken/note.txt
        ;;
    esac
}
while read -r what words; do
    rm -rf broken
    cp -r pocl broken
    damage "$what"
    name=$what
    POCL_CACHE_DIR=$work/broken answers "$words"
done <<'END'
none
beside
so-byte PoCL's folder .*/broken, cannot be used: .*\.so is damaged or cut short; delete .*/broken/../[A-Z]+; meanwhile .*/kept/pocl$
so-half \.so is damaged or cut short; delete
so-head \.so is damaged or cut short; delete
so-empty \.so is empty; delete
so-zeros \.so is damaged or cut short; delete
so-text \.so is damaged or cut short; delete
so-one \.so is damaged or cut short; delete
bc-empty program\.bc is empty; delete .*/broken/../[A-Z]+;
bc-word program\.bc is damaged or cut short; delete
bc-half program\.bc is damaged or cut short; delete
bc-head program\.bc is damaged or cut short; delete
bc-zeros program\.bc is damaged or cut short; delete
bc-one program\.bc is damaged or cut short; delete
END
[ -n "$(find kept/pocl -name '*.so')" ] || fail "what stands in holds nothing"

# A page that was lost within a program is seen by the driver alone, perhaps in the first build of a process: what ends
# it tells of the folder.
lose_page() {
    dd if=/dev/zero of="$1" bs=4096 seek=1 count=1 conv=notrunc status=none
}
rm -rf broken
cp -r pocl broken
each_file program.bc lose_page
if POCL_CACHE_DIR=$work/broken "$dunlin" classify run texts.txt >out 2>err; then
    cmp -s out right || fail "a lost page: other answers"
else
    says err "$work/broken"
    matches err 'delete that folder'
fi

# --- the folder itself.
folder() {
    name="folder: $1"
    POCL_CACHE_DIR=$1 answers "$2"
}
folder '' 'its name is empty; meanwhile'
folder "$work/data.tsv" 'data.tsv is a file, not a folder; meanwhile'
folder "$work/data.tsv/below" 'data.tsv is a file, not a folder; meanwhile'
folder "$(printf "$work/%3900s" | tr ' ' x)" 'its name is too long; meanwhile'
folder /proc/pocl '/proc/pocl, cannot be used: /proc.* cannot be .*; meanwhile' # though root may write to /proc
folder "$work/fresh/folder/of/its/own" ''
[ -n "$(find fresh -name '*.so')" ] || fail "a folder that can be made is not used"
name="below XDG_CACHE_HOME"
env -u POCL_CACHE_DIR "$dunlin" classify run texts.txt >out 2>err || fail "$name"
[ -d xdg/pocl/kcache ] || fail "$name: not used"
truncate -s 0 "$(find xdg/pocl -name '*.so' | head -n 1)"
env -u POCL_CACHE_DIR "$dunlin" classify run texts.txt >out 2>err || fail "$name"
says err "$work/xdg/pocl/kcache/"
if [ $mounts = yes ]; then
    mount -t tmpfs -o size=64m,noexec none mnt
    folder "$work/mnt/pocl" 'nothing may be run from its file system .noexec.; meanwhile'
    umount mnt
    mount -t tmpfs -o size=6m none mnt
    folder "$work/mnt/pocl" 'its file system is full .*MB free.; meanwhile'
    umount mnt
    mount -t tmpfs -o size=64m,nr_inodes=1 none mnt
    folder "$work/mnt" 'its file system is full .*meanwhile'
    umount mnt
    mount -t tmpfs -o size=64m,ro none mnt
    folder "$work/mnt/pocl" 'mnt cannot be written: Read-only file system; meanwhile'
    umount mnt
fi

# Too little address space for the driver's libraries, which sanitizers need as well.
if ! grep -q __asan_init "$dunlin"; then
    for command in "classify run texts.txt" devices; do
        # shellcheck disable=SC2086 # words of a command
        (ulimit -v 150000 && exec "$dunlin" $command) >out 2>err
        status=$? # devices lists what there is
        [ "$command" = devices ] || [ $status -eq 4 ] || fail "$command under ulimit -v: $status"
        cat out >>err
        says err 'ulimit -v allows 154 MB of address space'
    done
fi

# A damaged stand-in has one of its own, below TMPDIR, for this user alone; where that is not to be had, it is the end.
truncate -s 0 "$(find kept/pocl -name '*.so' | head -n 1)"
folder "$work/data.tsv" "meanwhile they are kept in $work/tmp/dunlin-$(id -u)$"
DUNLIN_CACHE=off folder "$work/data.tsv" "meanwhile they are kept in $work/tmp/dunlin-$(id -u)$"
chmod 777 "tmp/dunlin-$(id -u)"
POCL_CACHE_DIR=$work/data.tsv ends 4 classify run texts.txt
matches err 'data.tsv is a file, not a folder; and there is no other: set POCL_CACHE_DIR'
rm -rf "tmp/dunlin-$(id -u)" kept/pocl
if [ ${#user[@]} -gt 0 ]; then
    chmod 755 "$work"
    chmod -R a+rX run data.tsv texts.txt pocl
    cp -r pocl broken2
    chmod 700 broken2/*
    chmod 1777 tmp
    run_as=("${user[@]}")
    DUNLIN_CACHE=$work/kept2 folder "$work/pocl" "pocl cannot be written: Permission denied; meanwhile they are kept in $work/tmp/dunlin-65534$"
    chmod 1777 broken2
    DUNLIN_CACHE=off folder "$work/broken2" "broken2/.. cannot be read; delete .*dunlin-65534$"
    HOME=/nonexistent env -u POCL_CACHE_DIR -u XDG_CACHE_HOME -u DUNLIN_CACHE "${user[@]}" "$dunlin" classify run texts.txt \
        >out 2>err || fail "nobody, without a home"
    matches err '/nonexistent/.cache/pocl/kcache, cannot be used: / cannot be written'
    run_as=()
fi

# --- the first build after a change: without a linker, or with one that fails, in a child; warm it needs none.
mkdir bare bare/folder bare/fails bare/quiet bare/killed bare/counts
mkdir bare/folder/ld
printf '#!/bin/sh\necho "this linker is broken" >&2\nexit 3\n' >bare/fails/ld
printf '#!/bin/sh\nexit 0\n' >bare/quiet/ld
printf '#!/bin/sh\nkill -9 $$\n' >bare/killed/ld
printf '#!/bin/sh\necho x >>%s/links\nexec %s "$@"\n' "$work" "$(command -v ld)" >bare/counts/ld
chmod +x bare/*/ld
cold() {
    rm -rf cold kept-cold
    POCL_CACHE_DIR=$work/cold DUNLIN_CACHE=${kept_cold:-$work/kept-cold} "$@"
}
n=0
while read -r path words; do
    name="linker: $path"
    with=("PATH=$work/bare/$path")
    [ "$path" != unset ] || with=(-u PATH)
    [ "$path" != empty ] || with=(PATH=)
    cold env "${with[@]}" "$dunlin" classify run texts.txt >out 2>err
    [ $? -eq 4 ] || fail "$name: not 4"
    matches err '^dunlin: .*cannot build kernels: a small one was tried in a process of its own .(killed|exit)'
    matches err "$words"
    says err "It keeps what it compiled in $work/cold"
    [ "$(grep -c '^dunlin: ' err)" -eq 1 ] || fail "$name: more than a message"
    ((n++))
done <<'END'
empty PATH .empty. has no program ld; install binutils
unset PATH .not set. has no program ld; install binutils
nowhere PATH .*/bare/nowhere. has no program ld
folder PATH .*/bare/folder. has no program ld
fails ^    this linker is broken
quiet ^    .*(dlopen|failed)
killed ^    .*(linker|failed)
END
[ $n -eq 7 ] || stop "rows of linkers"
name="no linker, nothing kept"
kept_cold=off cold env PATH= "$dunlin" classify run texts.txt >out 2>err
[ $? -eq 4 ] || fail "$name"
name="no linker, a training"
cold env PATH= "$dunlin" train -q config.ini --out refused >out 2>err
[ $? -eq 4 ] || fail "$name"
matches err 'cannot build kernels'
name="no linker, all is compiled"
run_as=(env PATH=)
answers ''
run_as=()
env -i POCL_CACHE_DIR="$POCL_CACHE_DIR" DUNLIN_CACHE="$DUNLIN_CACHE" "$dunlin" classify run texts.txt >out 2>err ||
    fail "$name, no environment"
name="mended"
cold "$dunlin" classify run texts.txt >out 2>err || fail "$name"
cmp -s out right || fail "$name: other answers"

# What is tried once: the same again takes no linker, another linker or variable does.
tries() {
    find kept-cold/drivers -name "*.cache" | wc -l
}
: >links
counted() {
    POCL_CACHE_DIR=$work/cold DUNLIN_CACHE=$work/kept-cold env "PATH=$work/bare/counts:$PATH" "$@" "$dunlin" classify run texts.txt \
        >out 2>err || fail "counted: $*"
}
rm -rf cold kept-cold
counted
[ "$(tries)" -eq 1 ] || fail "tried once: $(tries)"
linked=$(wc -l <links)
[ "$linked" -gt 1 ] || fail "the linker is not counted"
counted
[ "$(wc -l <links)" -eq "$linked" ] || fail "what is compiled is linked again"
rm -rf kept-cold/programs
counted
[ "$(wc -l <links)" -eq "$linked" ] || fail "what passed is tried again"
rm -rf kept-cold/programs
counted POCL_DEVICES=pthread
[ "$(tries)" -eq 2 ] || fail "another variable: $(tries)"
rm -rf kept-cold/programs
printf ':\n' >>bare/counts/ld
counted
[ "$(tries)" -eq 3 ] || fail "another linker: $(tries)"
cp -r "$vendors" icds
rm -rf kept-cold/programs
counted "OCL_ICD_VENDORS=$work/icds"
[ "$(tries)" -eq 4 ] || fail "other drivers: $(tries)"
"$dunlin" cache >out 2>err
rm -rf cold
counted
[ "$(wc -l <links)" -gt "$linked" ] || fail "a folder that was deleted is not filled again"

# Two at once, from nothing.
rm -rf cold kept-cold
for i in 1 2; do
    POCL_CACHE_DIR=$work/cold DUNLIN_CACHE=$work/kept-cold "$dunlin" classify run texts.txt >"out-$i" 2>"err-$i" &
done
wait %1 || fail "two at once: $(cat err-1)"
wait %2 || fail "two at once: $(cat err-2)"
for i in 1 2; do
    cmp -s "out-$i" right || fail "two at once: other answers"
done
[ "$(tries)" -eq 1 ] || fail "two at once: both tried"

# --- what ends the process later names the folder. Kernels that were not used for long are not looked at.
rm -rf broken
cp -r pocl broken
damage so-empty
for i in {10..49}; do
    mkdir -p "broken/ZZ/$i"
    cp "$(find pocl -name program.bc | head -n 1)" "broken/ZZ/$i/"
    touch -d '+1 hour' "broken/ZZ/$i/last_accessed"
done
(
    POCL_CACHE_DIR=$work/broken "$dunlin" classify run texts.txt >out 2>err
    exit $?
) 2>/dev/null
[ $? -eq 134 ] || fail "kernels that are empty: not the driver's abort"
matches err '^dunlin: a fault in a driver, or in its own code, ends this process'
says err "    $work/broken"
matches err 'delete that folder'

# --- .icd files: what is wrong with a line, where a list shows it and where it is the end.
library=$(head -n 1 "$(grep -l pocl "$vendors"/*.icd | head -n 1)")
mkdir icd one
icd() {
    name="icd: $1"
    # shellcheck disable=SC2059 # the row is the format
    printf "$1" >one/x.icd
    OCL_ICD_VENDORS=$work/one ends 4 classify run texts.txt
    matches err "no OpenCL platform was found .*one/x.icd: $2"
    cp "$vendors"/*.icd icd/
    cp one/x.icd icd/
    OCL_ICD_VENDORS=$work/icd ends 0 devices
    matches out "^-: .*icd/x.icd gives no platform: $2"
}
icd "$library\r\n" 'its line ends with a carriage return .CRLF.*sed'
icd "/usr/lib/$library\r" 'its line ends with a carriage return .CRLF'
icd "$library \n" 'its line ends with a blank'
icd "\t$library\n" 'its line begins with a blank'
icd "\xef\xbb\xbf$library\n" 'it begins with a byte order mark'
icd "\n$library\n" 'its first line is empty'
icd '' 'its first line is empty'
icd "# PoCL\n$library\n" 'its first line is a comment'
icd '/nowhere/libdriver.so\n' 'its library is not loaded: /nowhere/libdriver.so: .*No such file'
icd 'libnosuchdriver.so.1\n' 'its library is not loaded: libnosuchdriver.so.1: '
icd "$work/data.tsv\n" 'its library is not loaded: .*(invalid ELF|file too short)'
icd "$nothing\n" '.*icd_nothing.so is no OpenCL driver'
# A driver that ends the process while it is loaded.
printf '%s\n' "$exits" >one/x.icd
OCL_ICD_VENDORS=$work/one ends 4 classify run texts.txt
matches err '^dunlin: the OpenCL driver ended this process'
cp one/x.icd icd/
OCL_ICD_VENDORS=$work/icd ends 0 devices
matches out '^-: .*icd/x.icd ends its process with status 1'
printf '%s\n' "$crash" >one/x.icd
(
    OCL_ICD_VENDORS=$work/one "$dunlin" classify run texts.txt >out 2>err
    exit $?
) 2>/dev/null
[ $? -eq 134 ] || fail "a driver that aborts while it is loaded"
matches err '^dunlin: a fault in a driver'

# --- a compiler's reason comes first, and in the line that says that something simpler is tried.
"$dunlin" help environment >out
says out DUNLIN_PROGRAM
cp -r "$here/../kernels.cl" "$here/../host" .
sed -i '1s/^/this is no kernel\n/' kernels.cl
DUNLIN_KERNELS=$work/kernels.cl ends 4 classify run texts.txt
matches err "^dunlin: the kernels do not compile: .*error: .*unknown type name 'this' .*which keeps them in $work/pocl"
matches err "^warning: tiles .*the kernels do not compile: .*error: .*unknown type name 'this'"

# --- threads: as many as this process may use, unless the user says otherwise; the same answers, and the same bits.
units() {
    "$@" "$dunlin" devices "$device" --json | sed 's/.*"compute_units":\([0-9]*\).*/\1/'
}
if [ "$(nproc)" -ge 2 ] && [ "$(nproc)" -eq "$(getconf _NPROCESSORS_ONLN)" ]; then
    cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
    all=$(units env)
    [ "$all" -ge 2 ] || fail "threads: $all without a limit"
    [ "$(units taskset -c "$cpu")" -eq 1 ] || fail "threads: one processor"
    [ "$(units taskset -c "$cpu" env POCL_MAX_PTHREAD_COUNT=2)" -eq 2 ] || fail "threads: the user's number"
    [ "$(units env POCL_MAX_PTHREAD_COUNT=1)" -eq 1 ] || fail "threads: the user's number, no limit"
    taskset -c "$cpu" "$dunlin" devices >out
    matches out "limits of this process: .*1 of $(nproc) processors .affinity."
    group=/sys/fs/cgroup/cpu/dunlin_test_$$
    if mkdir $group 2>/dev/null && echo 100000 >$group/cpu.cfs_period_us && echo 90000 >$group/cpu.cfs_quota_us; then
        # shellcheck disable=SC2016 # for the shell that joins the group
        [ "$(units bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' $group)" -eq 1 ] || fail "threads: a quota below one"
        echo 250000 >$group/cpu.cfs_quota_us
        # shellcheck disable=SC2016
        [ "$(units bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' $group)" -eq "$((all < 3 ? all : 3))" ] ||
            fail "threads: a quota of two and a half"
    else
        printf 'left out: a quota of processors\n'
    fi
    rmdir $group 2>/dev/null
    for gemm in reg local naive; do
        for with in env "taskset -c $cpu"; do
            # shellcheck disable=SC2086 # with is a command
            $with "$dunlin" train -q config.ini --set device.gemm=$gemm --out "bits-$gemm-${with%% *}" >out 2>err ||
                fail "threads: training with $gemm"
        done
        cmp -s bits-$gemm-env/prompt.safetensors bits-$gemm-taskset/prompt.safetensors || fail "threads: other bits, $gemm"
    done
else
    printf 'left out: threads, with one processor\n'
fi
finish
printf 'all good\n'
