#!/usr/bin/env bash
# What ranks do that takes minutes, or root: a device of one rank fails the self-test; a rank is stopped; texts take longer
# to read than a rank may be silent; of two hosts, which are network namespaces, one is cut off. Usage:
# ranks_by_hand.sh DUNLIN FIXTURES SOURCE [openmpi|mpich]
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3
mpi=${4:-}
# shellcheck source=tests/ranks_faults_lib.sh
source "$here/ranks_faults_lib.sh"

texts 40 >data.tsv
short_config data.tsv 30 >config.ini
printf '[output]\ncheckpoint_every = 7\n' >>config.ini
"$dunlin" train -q config.ini --out undisturbed-config >/dev/null 2>err || stop 'the undisturbed run'
share_kernels

# A driver compiles rank 1's kernels wrongly: the same text, of which a word means something else there.
cp "$source/kernels.cl" .
mkdir host
cp -r "$source/host/kernels" host/
sed -i '1i #ifndef WRONG\n#define WRONG\n#endif' host/kernels/norm.cl
sed -i 's|return 1.0f / sqrt(|return WRONG 1.0f / sqrt(|' host/kernels/norm.cl
grep -q 'WRONG 1.0f' host/kernels/norm.cl || stop 'norm.cl has no place to break any more'
export DUNLIN_KERNELS=$work/kernels.cl
only 1 <<END
export POCL_EXTRA_BUILD_FLAGS=-DWRONG=2.0f* DUNLIN_CACHE=$work/wrong-cache
END
sed -i 's/^check = no/check = yes/' config.ini
limit=600 refused 4 'a device that fails the self-test' 'fails the self-test: rmsnorm'
sed -i 's/^check = yes/check = no/' config.ini
unset DUNLIN_KERNELS
echo 'a device that fails the self-test: as expected'

# One pass over texts takes longer than a rank may be silent; it gives signs of life meanwhile.
"$source/tools/random-model" large.gguf --layers 6 --width 1536 --heads 12 --kv-heads 2 --ffn 6144 --vocab 512 2>/dev/null
texts 24 "$(printf 'ab ba %.0s' {1..30})" "$(printf 'zy yz %.0s' {1..30})" >long.tsv
short_config data.tsv 1 | sed 's/^path = .*/path = large.gguf/; s/^train = .*/train = long.tsv\nlimit_valid = 2/' >long.ini
export DUNLIN_RANK_DEADLINE=3
begin 2 train -q long.ini --out long
ended_within 600 'a slow pass over texts'
unset DUNLIN_RANK_DEADLINE
[ $status -eq 0 ] || fail "a slow pass over texts: status $status"
seconds=$(sed -n 's/.*reading texts: .* in \([0-9]*\)\.[0-9]* s.*/\1/p' long/run.log)
[ "${seconds:-0}" -ge 4 ] || fail "texts were read in $seconds s: nothing to be patient with"
echo 'a slow pass over texts: as expected'

# silent RUN RANK WHAT N: after something happened to that rank, the job ends in a minute and says so; then it goes on.
silent() {
    ended_within 60 "$3"
    [ $status -ne 0 ] || fail "$3: status 0"
    one_message "$3"
    says err "rank $2 on "
    says err 'no sign of life'
    [ ! -e "$1/metrics.json" ] || stop "$1 ended before anything happened to it"
    goes_on "$1" config "$4"
}

for rank in 1 0; do
    begin 3 train -q config.ini --out stopped-$rank
    until_there begun stopped-$rank
    kill -STOP "$(pid_of $rank)"
    silent stopped-$rank $rank "rank $rank stopped" $((rank + 1))
    echo "rank $rank stopped: as expected"
done

# Two hosts with a bridge between them, all of them network namespaces.
net=dunlin-net-$$
hosts=(dunlin-a-$$ dunlin-b-$$)
no_hosts() {
    local host
    for host in "$net" "${hosts[@]}"; do ip netns del "$host" 2>/dev/null; done
}
make_hosts() {
    local i
    trap 'no_hosts; leave' EXIT
    ip netns add "$net" && ip -n "$net" link add bridge type bridge && ip -n "$net" link set bridge up || return 1
    for i in 0 1; do
        ip netns add "${hosts[i]}" && ip -n "$net" link add port$i type veth peer name eth0 netns "${hosts[i]}" &&
            ip -n "$net" link set port$i master bridge up && ip -n "${hosts[i]}" link set lo up &&
            ip -n "${hosts[i]}" address add 10.77.77.$((i + 1))/24 dev eth0 &&
            ip -n "${hosts[i]}" link set eth0 up || return 1
    done
}
# What a launcher takes for ssh: its host's address, perhaps after options, then the words of a command line.
cat >to-host <<END
#!/usr/bin/env bash
while [[ \$1 == -* ]]; do shift; done
hosts=(${hosts[*]})
host=\${hosts[\${1##*.} - 1]}
shift
exec ip netns exec "\$host" unshare --uts sh -c 'hostname "\$0" && eval "\$*"' "\$host" "\$@"
END
chmod +x to-host
# cut_off RUN WHO WORDS...: two hosts, and the way between them goes in a step; ranks end by themselves, and `all` with
# them where the launcher notices, too.
cut_off() {
    local run=$1 who=$2 host left
    shift 2
    before=(./to-host 10.77.77.1)
    with=("$@" --host "10.77.77.1,10.77.77.2")
    ip -n "$net" link set port1 master bridge
    begin 2 train -q config.ini --out "$run"
    before=() with=()
    until_there begun "$run"
    kill -STOP "$(pid_of 0)"
    ip -n "$net" link set port1 nomaster
    kill -CONT "$(pid_of 0)"
    ended_within 60 "$run" "$who"
    [ ! -e "$run/metrics.json" ] || stop "$run: ended before it was cut off"
    grep -qE "rank 1 on ${hosts[1]}.* no sign of life|node 10.77.77.2" err || fail "$run: nobody says who is gone"
    for host in "${hosts[@]}"; do # a launcher's halves
        left=$(ip netns pids "$host")
        [ -n "$left" ] || continue
        [ "$who" = ranks ] || fail "$run: left on $host: $(xargs ps -o args -p <<<"$left")"
        xargs kill -KILL <<<"$left"
    done
    goes_on "$run" config 2
    echo "$run: as expected"
}
if [ "$(id -u)" -eq 0 ] && make_hosts; then
    if [ "$mpi" = openmpi ]; then
        way=(--mca plm_rsh_agent "$work/to-host" --map-by node --mca btl_tcp_if_include 10.77.77.0/24
            --mca oob_tcp_if_include 10.77.77.0/24)
        cut_off noticed all "${way[@]}" --mca oob_tcp_keepalive_time 10 --mca oob_tcp_keepalive_intvl 2 \
            --mca oob_tcp_keepalive_probes 5
    else
        way=(-launcher rsh -launcher-exec "$work/to-host" -genv UCX_TLS "tcp,self" -genv UCX_NET_DEVICES eth0)
    fi
    cut_off cut-off ranks "${way[@]}"
else
    echo 'left out: a host that is cut off (no ip netns here)'
fi

finish
echo "all as expected"
