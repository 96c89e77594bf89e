"""Reads a run's event files with TensorBoard's own reader and compares every scalar with history.jsonl.

    python interop_tensorboard.py RUN
"""

import json
import pathlib
import struct
import sys

from tensorboard.backend.event_processing import event_accumulator


def single(value):
    """The value as a 32-bit float, which is what an event file holds."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def main(run):
    expected = {}
    for line in (run / "history.jsonl").read_text().splitlines():
        record = json.loads(line)
        for tag in ("loss", "accuracy", "lr", "valid_accuracy", "valid_loss"):
            if tag in record:
                expected.setdefault(tag, []).append((record["step"], single(record[tag])))
    reader = event_accumulator.EventAccumulator(str(run), size_guidance={event_accumulator.SCALARS: 0})
    reader.Reload()
    # The reader turns every scalar into a tensor or keeps it, by version: both are looked at.
    tags = reader.Tags()
    found = {}
    for tag in tags["scalars"]:
        found[tag] = [(event.step, event.value) for event in reader.Scalars(tag)]
    for tag in tags["tensors"]:
        found[tag] = [(event.step, event.tensor_proto.float_val[0]) for event in reader.Tensors(tag)]
    if sorted(found) != sorted(expected):
        sys.exit(f"{run}: TensorBoard finds {sorted(found)}, expected {sorted(expected)}")
    for tag, values in expected.items():
        got = found[tag]
        if [step for step, _ in got] != [step for step, _ in values]:
            sys.exit(f"{run}: {tag} has steps {[step for step, _ in got]}")
        # history.jsonl keeps accuracies with six digits.
        wrong = [(a, b) for a, b in zip(got, values) if not abs(a[1] - b[1]) <= 1e-6 * max(1, abs(b[1]))]
        if wrong:
            sys.exit(f"{run}: {tag} differs at {wrong[:3]}")
    print(f"{run}: {len(expected)} tags, {sum(map(len, expected.values()))} values as in history.jsonl")


main(pathlib.Path(sys.argv[1]))
