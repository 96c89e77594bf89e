"""The summary of tools/bench-pair: ratios of speed of two programs that `dunlin bench --json` measured in turns. With
--self-test, its test."""

import argparse
import json
import math
import pathlib
import statistics
import sys
import tempfile


def figures_of(document):
    """Group and name of every figure, and its speed: work a second, or one over the seconds of a stage."""
    for p in document["products"]:
        yield ("products", f"{p['matrix']} {p['direction']} m={p['m']}"), p["median_gflops"]
    for t in document["texts"]:
        yield ("texts", f"{t['tokens']} tokens"), t["median_tokens_per_s"]
    for s in document["step"]["stages"]:
        yield ("step", s["stage"]), 1e3 / s["median_ms"]


def interval(values):
    """Two of the values that hold the median of what they are drawn from with at least 95 of 100, whatever its
    distribution (order statistics); the smallest and the largest where there are too few for that."""
    ordered, n = sorted(values), len(values)
    below, rank = 0.0, 0
    while below + math.comb(n, rank) / 2**n <= 0.025:
        below += math.comb(n, rank) / 2**n
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[n - rank]


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def ratios_of(folder):
    """Of every figure, a list of new speed / old speed, one a round."""
    ratios = {}
    n = len(list(folder.glob("*-old.json")))
    for round_ in range(1, n + 1):
        old, new = (
            dict(figures_of(json.loads((folder / f"{round_}-{side}.json").read_text()))) for side in ("old", "new")
        )
        if old.keys() != new.keys():
            sys.exit(f"bench-pair: the programs measure other things: {sorted(old.keys() ^ new.keys())}")
        for figure in old:
            ratio = new[figure] / old[figure]
            if not (math.isfinite(ratio) and ratio > 0):
                sys.exit(f"bench-pair: round {round_}, {figure}: {new[figure]} / {old[figure]} is no ratio")
            ratios.setdefault(figure, []).append(ratio)
    return ratios


def summarise(ratios):
    """Rows of the table: name, median, interval; the groups and all of them last."""
    rows = [(f"{group}: {name}", values) for (group, name), values in ratios.items()]
    groups = list(dict.fromkeys(group for group, _ in ratios))
    n = len(next(iter(ratios.values())))
    means = {
        group: [geometric_mean(values[i] for figure, values in ratios.items() if figure[0] == group) for i in range(n)]
        for group in groups
    }
    rows += [(f"all {group}", means[group]) for group in groups]
    # Products, texts and step count the same, however many figures each has.
    rows.append(("all", [geometric_mean(means[group][i] for group in groups) for i in range(n)]))
    return [(name, statistics.median(values), *interval(values)) for name, values in rows]


def self_test():
    assert interval(range(1, 10)) == (2, 8), "9 values: the second and the eighth"
    assert interval(range(1, 7)) == (1, 6) and interval([5]) == (5, 5)
    assert interval(range(1, 16)) == (4, 12)

    def document(speed):
        return {
            "products": [{"matrix": "q", "direction": "forward", "m": 8, "median_gflops": 4 * speed}],
            "texts": [{"tokens": 22, "median_tokens_per_s": 100 * speed}],
            "step": {"stages": [{"stage": "whole", "median_ms": 10 / speed}]},
        }

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for i in range(1, 10):
            (folder / f"{i}-old.json").write_text(json.dumps(document(1)))
            (folder / f"{i}-new.json").write_text(json.dumps(document(0.9 + 0.01 * i)))
        for row in summarise(ratios_of(folder)):
            assert all(abs(a - b) < 1e-12 for a, b in zip(row[1:], (0.95, 0.92, 0.98))), row
        assert main([str(folder), "--at-least", "0.94"]) == 0 and main([str(folder), "--at-least", "0.96"]) == 1
    print("all as expected")
    return 0


def main(words):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="holds ROUND-old.json and ROUND-new.json")
    parser.add_argument("--at-least", type=float, metavar="RATIO")
    arguments = parser.parse_args(words)
    ratios = ratios_of(arguments.folder)
    if not ratios:
        sys.exit("bench-pair: nothing was measured")
    rows = summarise(ratios)
    n = len(next(iter(ratios.values())))
    width = max(len(name) for name, *_ in rows)
    print(f"{'new speed / old speed':{width}}  median  interval of {'95 %' if n >= 6 else f'all {n} rounds'}")
    for name, median, low, high in rows:
        print(f"{name:{width}}  {median:6.3f}  {low:.3f} to {high:.3f}")
    if arguments.at_least and rows[-1][1] < arguments.at_least:
        print(f"bench-pair: {rows[-1][1]:.3f} is below {arguments.at_least}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1:]))
