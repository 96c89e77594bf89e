"""What the peers of tools/bench-peers have in common: each is a process that stays, with its model loaded, and does on
demand what a line of its standard input says; answers are lines of JSON.

A figure is taken as `dunlin bench` takes it: a first repetition that does not count, then at least LEAST of them and
more until ENOUGH_SECONDS have passed; of these the median, by the clock and by processors (all threads of the process;
what they wait busily counts there).
"""

import json
import os
import statistics
import sys
import time

LEAST, ENOUGH_SECONDS = 3, 0.5


def repeat(work, least=LEAST):
    """Median seconds of a repetition."""
    work()
    clock, processor = [], []
    while len(clock) < least or sum(clock) < ENOUGH_SECONDS:
        began, began_processor = time.perf_counter(), time.process_time()
        work()
        processor.append(time.process_time() - began_processor)
        clock.append(time.perf_counter() - began)
    return {"clock_s": statistics.median(clock), "processor_s": statistics.median(processor), "repeats": len(clock)}


def serve(start):
    """Does what lines say until there are none. `start` makes of the job, the first line, what is said of the peer and
    a function for every word."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    facts, words = start(json.loads(sys.stdin.readline()))
    answer(facts)
    for line in sys.stdin:
        answer(words[line.strip()]())
