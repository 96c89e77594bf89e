"""Rounds of a measurement, each in a process of its own: memory of processes, medians and spread. Used by
tools/bench-pytorch."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

WATCH_SECONDS = 0.05
# What is shown with its spread: key of a result, title, digits behind the point.
SPREAD = [("text_tokens_per_s", "text tokens/s", 0), ("step_ms", "step ms", 0), ("memory_mib", "memory MiB", 0),
          ("total", "total s", 1)]


def peak_mib(pid="self"):
    """VmHWM of a process; 0 where it has none (any more)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def forget_peak():
    """Lets this process's peak begin anew at what it has now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def run_watched(command, environment):
    """Runs a program to its end; its peak. It is looked at from outside: what wait says of a child counts what the
    parent was before the program began."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, peak_mib(process.pid))
            time.sleep(WATCH_SECONDS)
    if process.returncode:
        sys.exit(f"{os.fspath(command[0])} ended with {process.returncode}")
    return peak


def complete(result, n_tokens, n_steps, extra):
    """Adds what follows from the seconds of the stages; n_tokens is 0 where texts have no stage."""
    seconds = result["seconds"]
    result["total"] = sum(seconds.values())
    result["all"] = result["total"] + result.get(extra, 0.0)
    result["step_ms"] = 1e3 * seconds["train"] / n_steps
    if n_tokens:
        result["text_tokens_per_s"] = n_tokens / seconds["texts"]


def medians(results):
    """One result of several: every number the median."""
    first = results[0]
    if isinstance(first, dict):
        return {key: medians([result[key] for result in results]) for key in first}
    return first if isinstance(first, str) else statistics.median(results)


def print_spread(rounds):
    """A line for each way: median, and the smallest and the largest in brackets."""
    print(f"\n{'':9}" + "".join(f"{title:>26}" for _, title, _ in SPREAD))
    for name, results in rounds.items():
        cells = []
        for key, _, digits in SPREAD:
            values = sorted(result[key] for result in results if key in result)
            cells.append(f"{statistics.median(values):.{digits}f} ({values[0]:.{digits}f} to {values[-1]:.{digits}f})"
                         if values else "-")
        print(f"{name:9}" + "".join(f"{cell:>26}" for cell in cells))
