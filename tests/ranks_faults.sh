#!/usr/bin/env bash
# Ranks that fail, on a tiny model: one is killed while texts are read, in a step, or while a checkpoint is written; one
# has another model file; rank 0's disk gets full. Each ends the whole job with one message and with nothing left
# running, and what was begun goes on, with another number of ranks, to the bytes of a run that nobody disturbed.
# Usage: ranks_faults.sh DUNLIN FIXTURES HOLD_FSYNC [openmpi|mpich]; with a name also rank 0 in a step and another than
# the one who writes, which ends much the same, by hand
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
hold_fsync=$3
mpi=${4:-}
killed_in_step=(2) killed_at_checkpoint=(0)
[ -z "$mpi" ] || killed_in_step=(0 2) killed_at_checkpoint=(0 1)
# shellcheck source=tests/ranks_faults_lib.sh
source "$here/ranks_faults_lib.sh"

texts 40 >data.tsv
short_config data.tsv 30 >config.ini
printf '[output]\ncheckpoint_every = 7\n' >>config.ini
texts 1200 "$(printf 'ab ba %.0s' {1..50})" "$(printf 'zy yz %.0s' {1..50})" >many.tsv
short_config data.tsv 1 |
    sed 's/^train = .*/train = many.tsv\nmax_length = 120/; s/^batch_size = .*/batch_size = 200/' >many.ini

for config in config many; do
    "$dunlin" train -q $config.ini --out undisturbed-$config >/dev/null 2>err || stop "the undisturbed run of $config.ini"
done
share_kernels

# While texts are read: stopped there, so that it is killed there.
for try in 1 2 3 4 5; do
    rm -rf reading
    begin 3 train many.ini --out reading
    until_there logged reading 'cache     keys'
    kill -STOP "$(pid_of 1)"
    sleep 0.3
    logged reading 'reading texts:' || break
    kill -KILL "$job" "$(pid_of 1)"
    ended_within 60 'a try to be met while texts are read'
done
logged reading 'reading texts:' && stop "not met while texts are read, in $try tries"
kill -KILL "$(pid_of 1)"
ended_within 60 'rank 1 killed while texts are read'
[ $status -ne 0 ] || fail "rank 1 killed while texts are read: status 0"
names_rank 1
goes_on reading many 2

# In a step.
for rank in "${killed_in_step[@]}"; do
    begin 3 train -q config.ini --out "step-$rank"
    until_there begun "step-$rank"
    kill -KILL "$(pid_of "$rank")"
    ended_within 60 "rank $rank killed in a step"
    [ $status -ne 0 ] || fail "rank $rank killed in a step: status 0"
    names_rank "$rank"
    [ ! -e "step-$rank/metrics.json" ] || stop "step-$rank ended before it could be killed"
    goes_on "step-$rank" config $((rank + 1))
done

# While a checkpoint is written, which rank 0 does.
for rank in "${killed_at_checkpoint[@]}"; do
    run=checkpoint-$rank
    only 0 <<END
export LD_PRELOAD=$hold_fsync HOLD_FSYNC=$work/$run/checkpoint HOLD_FSYNC_AT=$work/held
END
    begin 2 train -q config.ini --out "$run"
    until_there test -e held
    kill -KILL "$(pid_of "$rank")"
    rm -f held
    ended_within 60 "rank $rank killed while a checkpoint is written"
    [ $status -ne 0 ] || fail "rank $rank killed while a checkpoint is written: status 0"
    names_rank "$rank"
    goes_on "$run" config 3
done

# Another file of the same name, where a process may have a view of its own of the files.
if unshare --mount true 2>/dev/null; then
    only 1 <<END
[ -n "\${elsewhere:-}" ] || elsewhere=1 exec unshare --mount "\$0" "\$@"
mount --bind "$fixtures/tiny-b.gguf" "$fixtures/tiny-a.gguf"
END
    refused 3 'another model file' 'tiny-a.gguf' 'another model file' 'hash'
else
    echo 'left out: another model file (no unshare --mount here)'
fi

# Rank 0's disk gets full after the first step; what was begun goes on where there is room.
mkdir full
cat >on-a-small-disk <<'END'
#!/usr/bin/env bash
mount -t tmpfs -o size=4m none full || exit 99
(
    until [ -s full/run/history.jsonl ]; do sleep 0.01; done
    cat /dev/zero >full/all-the-rest
) 2>/dev/null &
"$@"
status=$?
kill $! 2>/dev/null
cp -r full/run full-run
exit $status
END
chmod +x on-a-small-disk
if unshare --mount mount -t tmpfs none full 2>/dev/null; then
    before=(unshare --mount ./on-a-small-disk)
    begin 2 train -q config.ini --out full/run
    ended_within 60 'a full disk'
    [ $status -eq 1 ] || fail "a full disk: status $status"
    one_message 'a full disk'
    says err 'No space left on device'
    begun full-run || fail 'a full disk: no step was done'
    before=()
    goes_on full-run config 3
else
    echo 'left out: a full disk (no unshare --mount here)'
fi

finish
echo "all as expected"
