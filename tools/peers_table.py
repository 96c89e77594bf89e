"""The table of docs/measured.md from what tools/bench-peers measured. With --self-test, its test."""

import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

BEGIN = "<!-- made by tools/bench-peers from {}: not to be edited here -->"
END = "<!-- end of what tools/bench-peers made -->"
# What of a machine's flags the ways differ by.
FLAGS = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"]
MEASURES = ["text 22", "text 512", "step"]
# Above so many processes that want a processor, besides the threads measured, a machine is not quiet.
QUIET = 0.5
CLOCKS = {
    "clock_s": "By the clock",
    "processor_s": "By processors (tokens a processor's second, a processor's milliseconds)",
}


def number(value):
    """Some three digits or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cell(figure, work, measure):
    """Median, smallest and largest: tokens a second of texts, milliseconds of a step."""
    if figure is None:
        return ""
    if measure == "step":
        values = [1e3 * figure[key] for key in ("median", "min", "max")]
    else:
        values = [work["tokens"] / figure[key] for key in ("median", "max", "min")]
    middle, low, high = map(number, values)
    return f"{middle} ({low} to {high})"


def rows(model, clock):
    titles = [f"texts of {name.split()[1]}, tokens/s" for name in MEASURES[:-1]]
    step = model["work"]["step"]
    titles.append(f"a step of {step['texts']} texts, ms")
    yield "| " + " | ".join(["", *titles]) + " |"
    yield "|---" * (len(titles) + 1) + "|"
    for way in model["ways"]:
        cells = [cell(way["figures"].get(name, {}).get(clock), model["work"][name], name) for name in MEASURES]
        yield "| " + " | ".join([way["name"], *cells]) + " |"


def median(way, measure, clock):
    return way["figures"][measure][clock]["median"] if measure in way["figures"] else None


def best_of(model, measure, clock):
    ways = [way for way in model["ways"] if way["name"].startswith("dunlin") and median(way, measure, clock)]
    return min(ways, key=lambda way: median(way, measure, clock), default=None)


def ratios(model, clock):
    """Lines that say how dunlin's fastest form stands to each of the others."""
    for measure in MEASURES:
        best = best_of(model, measure, clock)
        parts = [f"{median(way, measure, clock) / median(best, measure, clock):.2f} {way['name']}"
                 for way in model["ways"]
                 if best and not way["name"].startswith("dunlin") and median(way, measure, clock)]
        if parts:
            yield (f"- {'a step' if measure == 'step' else 'texts of ' + measure.split()[1]} ({best['name']}): "
                   f"{'; '.join(parts)}")


def is_quiet(found):
    return all(max(model["load"]) <= found["threads"] + QUIET for model in found["models"])


def one_model(model, clocks):
    work = model["work"]
    yield f"**{model['name']}** ({model['file']}), passes of " + " and ".join(
        f"{work[name]['texts']} x {work[name]['tokens'] // work[name]['texts']}" for name in MEASURES[:-1]) + (
        f" tokens, a prompt of {work['step']['prompt_rows']} rows; load average "
        f"{model['load'][0]:.1f} before and {model['load'][1]:.1f} after.")
    yield ""
    for clock in clocks:
        yield f"{CLOCKS[clock]}:"
        yield ""
        yield from rows(model, clock)
        yield ""
        yield "So many times as fast as the others is dunlin's fastest form:"
        yield ""
        yield from ratios(model, clock)
        yield ""
    yield "Points off those of PyTorch in float32: " + ", ".join(
        f"{way['name']} {way['distance']:.1g}" for way in model["ways"]
        if way["distance"] and "whole" not in way["name"]) + "."
    yield ""
    for reason in dict.fromkeys(model["left_out"].values()):
        names = [name for name, its in model["left_out"].items() if its == reason]
        yield f"Left out: {'; '.join(names)} ({reason.rstrip('.')})."
        yield ""


def lines(found):
    machine, threads = found["machine"], found["threads"]
    flags = [flag for flag in FLAGS if flag in machine["flags"].split()]
    yield (f"{machine['cpu']} (family, model, stepping {', '.join(machine['family_model_stepping'])}), "
           f"{machine['cores']} cores, {machine['memory_gib']} GiB; {', '.join(flags)}; {threads} threads each on the "
           f"same {threads} cores, {found['rounds']} rounds in turns, {found['date']}, dunlin at {found['commit']}.")
    first = found["models"][0]
    for name, facts in first["peers"].items():
        yield f"{name}: {facts['version']}, with {facts['features']}."
    yield (f"dunlin {first['dunlin']['version']}: {first['dunlin']['platform']}, products `{first['dunlin']['gemm']}`.")
    quiet = is_quiet(found)
    if not quiet:
        yield "Other work ran beside, so that the clock says nothing: processors' seconds alone."
    yield ""
    for model in found["models"]:
        yield from one_model(model, CLOCKS if quiet else ["processor_s"])


def table(found):
    return "\n".join(lines(found)).rstrip("\n") + "\n"


def section(page, name):
    """What stands before the marks in a page, between them, and after."""
    begin = BEGIN.format(name)
    if page.count(begin) != 1 or page.count(END) != 1:
        raise SystemExit(f"bench-peers: the page has not once the marks\n{begin}\n{END}")
    before, rest = page.split(begin + "\n")
    inside, after = rest.split(END)
    return before + begin + "\n", inside, END + after


def main(args):
    made = table(json.loads(args.table.read_text(encoding="utf-8")))
    page = args.into or args.check
    if not page:
        print(made, end="")
        return 0
    before, inside, after = section(page.read_text(encoding="utf-8"), args.table.name)
    made = f"\n{made}\n"
    if args.into:
        page.write_text(before + made + after, encoding="utf-8")
    elif inside != made:
        print(f"bench-peers: {page} has another table than {args.table} gives: --into writes it", file=sys.stderr)
        return 1
    return 0


def self_test():
    def figure(seconds):
        return {"clock_s": {"min": seconds / 2, "median": seconds, "max": 2 * seconds, "rounds": []},
                "processor_s": {"min": seconds, "median": 2 * seconds, "max": 3 * seconds, "rounds": []}}

    ways = [("dunlin f32", [1, 0.5, 0.25]), ("dunlin stored", [0.5, 1, 0.5]), ("PyTorch float32", [2, 1, 1]),
            ("llama.cpp", [0.25, 0.25])]
    found = {"date": "2026-01-02", "commit": "abc", "threads": 2, "rounds": 3,
             "machine": {"cpu": "A CPU", "family_model_stepping": ["1", "2", "3"], "flags": "fpu avx2 amx_int8",
                         "cores": 2, "memory_gib": 4, "kernel": ""},
             "models": [{"name": "M", "file": "m.gguf", "load": [1.0, 2.0],
                         "left_out": {"dunlin half": "no key.", "dunlin split": "no key."},
                         "work": {"text 22": {"texts": 34, "tokens": 748}, "text 512": {"texts": 1, "tokens": 512},
                                  "step": {"texts": 32, "tokens": 704, "prompt_rows": 5}},
                         "dunlin": {"version": "1", "platform": "PoCL", "gemm": "reg"},
                         "peers": {"float32": {"version": "PyTorch 0", "features": "AVX2"}},
                         "ways": [{"name": name, "distance": 1e-6, "figures": {
                             measure: figure(seconds) for measure, seconds in zip(MEASURES, values)}}
                                  for name, values in ways]}]}
    made = table(found)
    for line in ("| dunlin f32 | 748 (374 to 1,496) | 1,024 (512 to 2,048) | 250 (125 to 500) |",
                 "| dunlin f32 | 374 (249 to 748) | 512 (341 to 1,024) | 500 (250 to 750) |",
                 "| llama.cpp | 2,992 (1,496 to 5,984) | 2,048 (1,024 to 4,096) |  |",
                 "- texts of 22 (dunlin stored): 4.00 PyTorch float32; 0.50 llama.cpp",
                 "- a step (dunlin f32): 4.00 PyTorch float32", "Left out: dunlin half; dunlin split (no key)."):
        assert line in made.splitlines(), (line, made)
    assert "avx2, amx_int8" in made and "Other work" not in made
    assert "By the clock" in made
    found["models"][0]["load"] = [3.0, 2.0]
    assert "Other work" in table(found) and "By the clock" not in table(found) and "By processors" in table(found)
    with tempfile.TemporaryDirectory() as folder:
        page, file = Path(folder) / "page.md", Path(folder) / "peers.json"
        file.write_text(json.dumps(found), encoding="utf-8")
        page.write_text(f"before\n{BEGIN.format('peers.json')}\nold\n{END}\nafter\n", encoding="utf-8")
        assert main(SimpleNamespace(table=file, into=None, check=page)) == 1
        assert main(SimpleNamespace(table=file, into=page, check=None)) == 0
        assert main(SimpleNamespace(table=file, into=None, check=page)) == 0
        text = page.read_text(encoding="utf-8")
        assert text.startswith("before\n<!--") and text.endswith(f"\n\n{END}\nafter\n") and "old" not in text
    print("all as expected")
    return 0


if __name__ == "__main__":
    sys.exit(self_test())
