# Shell functions of the tests that start ranks; sourced after lib.sh, where $dunlin and $most, the most ranks on a host,
# are set.
# shellcheck shell=bash disable=SC2034,SC2154 # what it is given, and what it is for

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# The MPIs that are here.
mpis=()
for mpi in openmpi mpich; do
    if [ -e "$(dirname "$dunlin")/libdunlin-mpi-$mpi.so" ] && command -v "mpirun.$mpi" >/dev/null; then
        mpis+=("$mpi")
    fi
done
[ ${#mpis[@]} -gt 0 ] || skip "neither Open MPI nor MPICH is here"

# start MPI N: the launcher, in `start`.
start() {
    case $1 in
    openmpi) start=(mpirun.openmpi --oversubscribe --bind-to none -n "$2") ;;
    mpich) start=(mpirun.mpich -n "$2") ;;
    esac
}

# Each rank has a folder of kernels of its own; what a plain run compiled is what they need.
share_kernels() {
    local rank folder=${POCL_CACHE_DIR:-}
    for ((rank = 1; rank < most && ${#folder}; rank++)); do
        mkdir -p "$folder.rank-$rank"
        cp -rln "$folder/." "$folder.rank-$rank/"
    done
}
