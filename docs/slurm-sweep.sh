#!/usr/bin/env bash
# A sweep as a job array of Slurm: each task takes runs that no other one has, in a folder that all nodes see.
#
#   sbatch --array=0-15 slurm-sweep.sh runs/grid config.ini --sweep prompt.lr=1e-3,1e-2,3e-2 --seeds 3
#
# The first word is the folder, the others are those of `dunlin train`. Tasks may be more or fewer than runs, begin
# late, be preempted, and be started anew: a run that was left is gone on with by whoever comes next. The last task
# leaves the table; `dunlin report --sweep runs/grid` makes it at any time. DUNLIN names another program than dunlin.
#
# Two minutes before its time is over a task saves where it stands and is put into the queue again; one that is
# preempted or cancelled (SIGTERM) saves and leaves, and Slurm itself requeues what it preempted. `scancel --batch
# --signal=USR1 JOB` has a task save and go on. Where each task is to have a fixed part of the runs, take `--part slurm`
# instead of `--claim`.
#SBATCH --job-name=dunlin-sweep
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR2@120
set -u

if [ $# -lt 2 ]; then
    echo "usage: sbatch --array=0-N ${0##*/} FOLDER CONFIG [OPTIONS of dunlin train]" >&2
    exit 2
fi
folder=$1
shift

# A second signal of one kind ends dunlin at once, and Slurm may have sent it a SIGTERM as well: it gets one SIGHUP.
again='' told='' dunlin=''
trap 'kill -USR1 $dunlin' USR1
trap '[ "$told" ] || kill -HUP $dunlin; told=yes' TERM HUP
trap 'again=yes; [ "$told" ] || kill -HUP $dunlin; told=yes' USR2
"${DUNLIN:-dunlin}" train "$@" --claim --out "$folder" &
dunlin=$!

# A signal ends `wait`, not what is waited for.
wait "$dunlin"
while kill -0 "$dunlin" 2>/dev/null; do
    wait "$dunlin"
done
wait "$dunlin"
status=$?
if [ "$again" ] && [ $status -eq 130 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
