"""How the reference vectors are written and compared: rounding, layout, differences."""

import json
import math

SIGNIFICANT_DIGITS = 7


def round_number(x):
    return float(f"{x:.{SIGNIFICANT_DIGITS}g}")


def rounded(values):
    """A tensor, array or list of numbers as a flat list of rounded floats."""
    flat = values.flatten().tolist() if hasattr(values, "flatten") else values
    return [round_number(x) for x in flat]


def round_all(value):
    """Every float in a nest of dicts and lists, rounded."""
    if isinstance(value, dict):
        return {key: round_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [round_all(item) for item in value]
    return round_number(value) if isinstance(value, float) else value


def write(path, document):
    """Writes a dict as ASCII JSON: a line for each key, and for each dict of a list of dicts."""
    compact = lambda value: json.dumps(value, separators=(",", ":"), allow_nan=False)
    entries = []
    for key, value in round_all(document).items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(map(compact, value)) + "\n]"
        else:
            text = compact(value)
        entries.append(f"{json.dumps(key)}:{text}")
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="ascii")


def difference(expected, actual):
    """Largest difference relative to the largest expected size; infinite where shapes or ids disagree, or a number is
    none (max drops it)."""
    expected, actual = [x if isinstance(x, list) else [x] for x in (expected, actual)]
    if len(expected) != len(actual):
        return math.inf
    if any(isinstance(x, (int, str)) for x in expected):
        return 0.0 if expected == actual else math.inf
    if not all(map(math.isfinite, (*expected, *actual))):
        return math.inf
    worst = max((abs(e - a) for e, a in zip(expected, actual)), default=0.0)
    return worst / max(max(map(abs, expected), default=0.0), 1e-30)
