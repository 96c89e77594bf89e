"""The comparison of tools/same-bits and of tests/old_runs.sh: two runs by their contents, or only their histories, or
two files of tensors. With --self-test, the test of the comparison."""

import argparse
import json
import math
import pathlib
import shutil
import struct
import sys
import tempfile

# How far parts may be off with a tolerance T, which is meant for a new order of the same sums. A loss: T, relative.
# A tensor: the length of the difference, PROMPT_FACTOR * T of its own length (Adam divides by the size of a gradient,
# so that components whose gradient is nearly nothing move at full rate whichever way rounding turns them). A
# distance: DISTANCE_FACTOR * T, relative. A predicted class: where the two nearest distances differ by less than
# twice that. Accuracies and measurements follow from these.
PROMPT_FACTOR = 10
DISTANCE_FACTOR = 10


class Differs(Exception):
    """The first difference of a part, for people."""


def off(a, b, tolerance):
    """Is one of two numbers not one, or are they further apart than the tolerance times the larger?"""
    return not (math.isfinite(a) and math.isfinite(b) and abs(a - b) <= tolerance * max(abs(a), abs(b)))


def lines_of(path):
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise Differs(f"there is no {path}") from None


def two_files(old, new):
    """The lines of both, as many in both, and some."""
    a, b = lines_of(old), lines_of(new)
    if len(a) != len(b) or not a:
        raise Differs(f"{old.name} has {len(a)} lines vs {len(b)}")
    return a, b


def steps_of(lines):
    """Lines of history.jsonl as dicts of texts, so that no digit is lost; without times."""
    for line in lines:
        step = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        yield {key: value for key, value in step.items() if "seconds" not in key}


LATER = {"valid_loss"}  # fields that the older of two versions may not have written


def compare_history(old, new, tolerance):
    """history.jsonl."""
    a, b = two_files(old, new)
    worst, n_accuracies = 0.0, 0
    for x, y in zip(steps_of(a), steps_of(b)):
        where = f"step {x.get('step')}"
        y = {key: value for key, value in y.items() if key in x or key not in LATER}
        if x.keys() != y.keys():
            raise Differs(f"{where} has {', '.join(x)} vs {', '.join(y)}")
        for key in x:
            numbers = float(x[key]), float(y[key])
            if not all(map(math.isfinite, numbers)) or (x[key] != y[key] and not tolerance):
                raise Differs(f"{where}, {key} {x[key]} vs {y[key]}")
            if "accuracy" in key:
                n_accuracies += x[key] != y[key]
            elif off(*numbers, tolerance):
                raise Differs(f"{where}, {key} {x[key]} vs {y[key]}")
            elif numbers[0] != numbers[1]:
                worst = max(worst, abs(numbers[0] - numbers[1]) / max(map(abs, numbers)))
    if n_accuracies > max(1, len(a) // 10):
        raise Differs(f"{n_accuracies} of {len(a)} steps have another accuracy")
    return f"{len(a)} steps" + (f" to {worst:.1e}" if tolerance else "")


def tensors_of(path):
    """Types, shapes and bytes of a safetensors file, and its metadata."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Differs(f"there is no {path}") from None
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = entry["dtype"], entry["shape"], data[begin:end]
    return tensors, metadata


def compare_floats(name, x_bytes, y_bytes, tolerance):
    """How far two tensors of F32 are apart, as a share of the first one's length."""
    x, y = ([v for (v,) in struct.iter_unpack("<f", part)] for part in (x_bytes, y_bytes))
    for i, (v, w) in enumerate(zip(x, y)):
        if not (math.isfinite(v) and math.isfinite(w)) or (not tolerance and x_bytes[4 * i :][:4] != y_bytes[4 * i :][:4]):
            raise Differs(f"{name}[{i}] {v:.9g} vs {w:.9g}")
    length = math.sqrt(math.fsum(v * v for v in x))
    difference = math.sqrt(math.fsum((v - w) ** 2 for v, w in zip(x, y)))
    if difference > PROMPT_FACTOR * tolerance * length:
        raise Differs(f"{name} is off by {difference:.1e} of {length:.1e}")
    return difference / length if difference else 0.0


def compare_tensors(old, new, tolerance):
    """Two safetensors files."""
    (a, a_metadata), (b, b_metadata) = tensors_of(old), tensors_of(new)
    if a_metadata != b_metadata or list(a) != list(b) or not a:
        raise Differs(f"{old.name} holds {list(a)}, {a_metadata} vs {list(b)}, {b_metadata}")
    worst = 0.0
    for name, (kind, shape, x) in a.items():
        y = b[name][2]
        if (kind, shape, len(x)) != (*b[name][:2], len(y)) or not x:
            raise Differs(f"{name} is {kind} {shape} vs {b[name][:2]}")
        if kind == "F32":
            worst = max(worst, compare_floats(name, x, y, tolerance))
        elif x != y:
            raise Differs(f"{name} differs")
    return f"{len(a)} tensors" + (f" to {worst:.1e}" if tolerance else "")


def compare_rows(old, new, header, tolerance):
    """Lines of predictions.tsv or of `classify --output tsv`: predicted classes and distances."""
    a, b = two_files(old, new)
    n_other, worst = 0, 0.0
    for i, (x, y) in enumerate(zip(a, b)):
        where = f"{old.name} line {i + 1}"
        if i < header or not tolerance:
            if x != y:
                raise Differs(f"{where}: '{x}' vs '{y}'")
            if i < header:
                continue
        x, y = x.split("\t"), y.split("\t")
        # predictions.tsv: line, label, predicted, distances, text; classify: label, nearest, confidence, distances.
        numbers = slice(3, -1) if header else slice(3, None)
        p, q = (list(map(float, row[numbers])) for row in (x, y))
        predicted = 2 if header else 1
        if len(p) != len(q) or len(p) < 2 or any(off(v, w, DISTANCE_FACTOR * tolerance) for v, w in zip(p, q)):
            raise Differs(f"{where}: distances {p} vs {q}")
        worst = max([worst] + [abs(v - w) / max(abs(v), abs(w)) for v, w in zip(p, q) if v != w])
        if x[predicted] != y[predicted]:
            nearest = sorted(p)
            if off(nearest[0], nearest[1], 2 * DISTANCE_FACTOR * tolerance):
                raise Differs(f"{where}: {x[predicted]} vs {y[predicted]}, distances {p} vs {q}")
            n_other += 1
        if header and (x[:2] != y[:2] or x[-1] != y[-1]):
            raise Differs(f"{where}: '{x}' vs '{y}'")
    what = f"{len(a) - header} {'predictions' if header else 'answers'}"
    return what + (f" to {worst:.1e}, {n_other} of another class" if tolerance else "")


def compare_metrics(old, new, tolerance):
    """What was measured, but for times, memory and the version; only where every bit must be the same."""
    if tolerance:
        return None
    documents = []
    for path in (old, new):
        document = json.loads("\n".join(lines_of(path)), parse_float=str, parse_constant=str)
        for key in ("seconds", "wall_seconds", "device_memory_bytes", "version"):
            document.pop(key, None)
        documents.append(document)
    a, b = documents
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) != b.get(key):
            raise Differs(f"metrics.json, {key} {a.get(key)} vs {b.get(key)}")
    return "metrics"


PARTS = {
    "history.jsonl": compare_history,
    "prompt.safetensors": compare_tensors,
    "predictions.tsv": lambda old, new, tolerance: compare_rows(old, new, 1, tolerance),
    "classify.tsv": lambda old, new, tolerance: compare_rows(old, new, 0, tolerance),
    "metrics.json": compare_metrics,
}


def compare(name, pairs, tolerance):
    """Are the pairs of files equal, given as (old, new, comparison)? And a line that opens with the name."""
    same, different = [], []
    for old, new, part in pairs:
        try:
            same.append(part(old, new, tolerance))
        except Differs as difference:
            different.append(str(difference))
        except (ValueError, KeyError, IndexError, struct.error) as error:
            different.append(f"{old.name}: {error!r}")
    words = [", ".join(filter(None, same)) + (" equal" if not tolerance else "")] if same else []
    if different:
        words.append("differs (first: " + "; ".join(different) + ")")
    return not different, f"{name}: " + "; ".join(words)


def files_of(old, new):
    return [(old / name, new / name, part) for name, part in PARTS.items()]


def make_run(folder):
    """A small run that the self-test breaks."""
    folder.mkdir()
    history = [{"step": i, "epoch": 1, "loss": 0.5 / i, "accuracy": 0.5, "lr": 0.01} for i in range(1, 25)]
    (folder / "history.jsonl").write_text("".join(json.dumps(step) + "\n" for step in history))
    header = {"__metadata__": {"kind": "test"}}
    header["prompt_embeddings"] = {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]}
    header["centroids"] = {"dtype": "F32", "shape": [2, 2], "data_offsets": [64, 80]}
    header = json.dumps(header).encode()
    floats = struct.pack("<20f", *(0.1 * (i + 1) for i in range(20)))
    (folder / "prompt.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + floats)
    rows = [("bad", 2.0, 3.0 + i) for i in range(6)] + [("good", 3.0, 2.999999)]
    (folder / "predictions.tsv").write_text(
        "line\tlabel\tpredicted\tdistance_bad\tdistance_good\ttext\n"
        + "".join(f"{i}\tbad\t{p}\t{a}\t{b}\ta text\n" for i, (p, a, b) in enumerate(rows, 1))
    )
    (folder / "classify.tsv").write_text("".join(f"{p}\t{p}\t0.6\t{a}\t{b}\n" for p, a, b in rows))
    (folder / "metrics.json").write_text('{"accuracy": 0.75, "n": 4, "wall_seconds": 1.5, "version": "1"}')


def self_test():
    """Every way to break a run must be noticed, what may differ must not be; and close is close only with a tolerance."""

    def replaces(name, before, after):
        def change(run):
            text = (run / name).read_text()
            assert before in text, (name, before)
            (run / name).write_text(text.replace(before, after, 1))

        return change

    def flips(bit, from_end):
        def change(run):
            data = bytearray((run / "prompt.safetensors").read_bytes())
            data[-from_end] ^= 1 << bit
            (run / "prompt.safetensors").write_bytes(data)

        return change

    def nan_in_prompt(run):
        data = (run / "prompt.safetensors").read_bytes()
        (run / "prompt.safetensors").write_bytes(data[:-4] + struct.pack("<f", math.nan))

    def drops_line(name):
        def change(run):
            (run / name).write_text("\n".join((run / name).read_text().splitlines()[:-1]) + "\n")

        return change

    def removes(name):
        return lambda run: (run / name).unlink()

    nan_history = replaces("history.jsonl", '"loss": 0.25', '"loss": NaN')
    nan_rows = replaces("classify.tsv", "bad\tbad\t0.6\t2.0\t3.0", "bad\tbad\t0.6\tnan\t3.0")
    # what, the change, made in both runs?, equal bytes?, within 1e-5?
    cases = [
        ("nothing", lambda run: None, False, True, True),
        ("another time and version", replaces("metrics.json", '1.5, "version": "1"', '2, "version": "2"'), False, True, True),
        ("the last bit of a tensor", flips(0, 4), False, False, True),
        ("a high bit of a tensor", flips(6, 1), False, False, False),
        ("a bit of the first tensor", flips(3, 78), False, False, False),
        ("the last digit of a loss", replaces("history.jsonl", '"loss": 0.25', '"loss": 0.250000001'), False, False, True),
        ("a digit of a loss", replaces("history.jsonl", '"loss": 0.25', '"loss": 0.25001'), False, False, False),
        ("a rate", replaces("history.jsonl", '"lr": 0.01', '"lr": 0.0101'), False, False, False),
        ("a step without its rate", replaces("history.jsonl", ', "lr": 0.01', ""), False, False, False),
        ("a field of a later version", replaces("history.jsonl", '"lr": 0.01', '"lr": 0.01, "valid_loss": 1'), False, True, True),
        ("a field that nobody knows", replaces("history.jsonl", '"lr": 0.01', '"lr": 0.01, "loss_of": 1'), False, False, False),
        ("NaN as a loss", nan_history, False, False, False),
        ("NaN as a loss in both", nan_history, True, False, False),
        ("NaN in the tensors", nan_in_prompt, False, False, False),
        ("NaN in the tensors of both", nan_in_prompt, True, False, False),
        ("NaN as a distance", nan_rows, False, False, False),
        ("NaN as a distance in both", nan_rows, True, False, False),
        ("a missing step", drops_line("history.jsonl"), False, False, False),
        ("a missing prediction", drops_line("predictions.tsv"), False, False, False),
        ("a missing answer", drops_line("classify.tsv"), False, False, False),
        ("another class", replaces("predictions.tsv", "bad\tbad", "bad\tgood"), False, False, False),
        ("another class on the border", replaces("predictions.tsv", "bad\tgood", "bad\tbad"), False, False, True),
        ("another label", replaces("predictions.tsv", "1\tbad", "1\tgood"), False, False, False),
        ("another accuracy", replaces("metrics.json", "0.75", "0.5"), False, False, True),
        ("no history", removes("history.jsonl"), False, False, False),
        ("no prompt", removes("prompt.safetensors"), False, False, False),
        ("no predictions in both", removes("predictions.tsv"), True, False, False),
        ("a cut prompt", lambda run: (run / "prompt.safetensors").write_bytes(b"123"), False, False, False),
    ]
    wrong = 0
    for name, change, both, equal, close in cases:
        for tolerance, wanted in ((0.0, equal), (1e-5, close)):
            with tempfile.TemporaryDirectory() as folder:
                old, new = pathlib.Path(folder) / "old", pathlib.Path(folder) / "new"
                make_run(old)
                shutil.copytree(old, new)
                change(new)
                if both:
                    change(old)
                found, line = compare(name, files_of(old, new), tolerance)
                if found != wanted:
                    print(f"WRONG with tolerance {tolerance}: {line}")
                    wrong += 1
    print(f"{2 * len(cases)} comparisons, {wrong} wrong")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="what opens the line that is printed")
    parser.add_argument("old", type=pathlib.Path, help="the folder of a run")
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, default=0.0, metavar="T")
    parser.add_argument("--part", choices=PARTS, help="old and new are files, to be compared as this one of a run")
    arguments = parser.parse_args()
    pairs = files_of(arguments.old, arguments.new)
    if arguments.part:
        pairs = [(arguments.old, arguments.new, PARTS[arguments.part])]
    equal, line = compare(arguments.name, pairs, arguments.tolerance)
    print(line, flush=True)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
