"""Times dunlin and what people would run instead, on the same model file, the same token ids and the same processors,
in turns: what tools/bench-peers runs.

  text 22   one pass over texts of 22 tokens, as many as dunlin reads at once (34: 748 tokens): their keys and values
  text 512  the same of texts of 512 tokens (one)
  step      a training step: 32 texts of 22 tokens, a prompt of some rows after each, two centroids; forward, loss,
            backward, Adam (its rates 0, so that every repetition does the same). Where keys and values are kept they
            are there before it begins; PyTorch's "whole sequences" read the texts in it, with every token's logits.

A token is one id; all read the same, random ones, which `dunlin bench --json` names. Every peer is a process that stays
with its model loaded; dunlin is `dunlin bench`, started anew for each turn. Loading, compiling and tokenising do not
count, nor does the first repetition of a turn. A turn's figure is the median of its repetitions, by the clock and by
processors (all threads of a process; what they wait busily counts there); reported are the smallest, the middle and the
largest of the rounds, which go through the ways forwards and backwards in turn.

Before that, each computes the points of some real texts after the starting prompt: whoever is further from PyTorch in
float32 than its arithmetic explains ends the comparison.
"""

import argparse
import array
import datetime
import json
import math
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The modules beside this one leave no __pycache__ in the source tree.
sys.dont_write_bytecode = True

import peers_table
from bench_dunlin import quoted, token_ids

ROOT = Path(__file__).resolve().parent.parent
MODELS = {"SmolLM2-135M Q4_1": "SmolLM2-135M-Instruct.Q4_1.gguf", "Gemma 3 270M Q4_K_M": "gemma-3-270m-q4_k_m.gguf"}
PROMPT = " Overall this review sounds very"
CHECKED = {"feelings": 4, "topics": 8}  # lines of data/NAME/valid.tsv
LONGEST = 64
BATCH = 32
ABOUT = ["version", "device", "platform", "driver", "gemm", "gemm_reason", "tiles"]  # of `dunlin bench --json`

# dunlin's forms: device.precision, device.weights, and how far points may be from float32's. A form that the build or
# the device does not have is left out, with what was said; so is one that only the portable variant would compute.
FORMS = [
    ("f32", "f32", 1e-4),
    ("f32", "f16", 1e-2),
    ("f32", "stored", 1e-4),
    ("split", "f32", 1e-3),
    ("split", "stored", 1e-3),
    ("half-texts", "f32", 5e-2),
    ("half", "f32", 5e-2),
    ("half", "stored", 5e-2),
]
# The others: name, process, and the word for each measure.
KEPT = {"text 22": "text 22", "text 512": "text 512", "step": "step"}
TEXTS = {"text 22": "text 22", "text 512": "text 512"}
WHOLE = {"step": "whole step"}
PEERS = [
    ("PyTorch float32", "float32", KEPT),
    ("PyTorch float32, whole sequences", "float32", WHOLE),
    ("PyTorch bfloat16", "bfloat16", KEPT),
    ("PyTorch bfloat16, whole sequences", "bfloat16", WHOLE),
    ("llama.cpp, prebuilt", "llama", TEXTS),
    ("llama.cpp, built here", "native", TEXTS),
]
# Those processes: script, its words, the variable that names the Python, how far points may be from float32's.
PROCESSES = {
    "float32": (["peers_torch.py", "float32"], "DUNLIN_PYTORCH_PYTHON", 1e-4),
    "bfloat16": (["peers_torch.py", "bfloat16"], "DUNLIN_PYTORCH_PYTHON", 0.1),
    "llama": (["peers_llama.py"], "DUNLIN_LLAMA_PYTHON", 0.2),
    "native": (["peers_llama.py"], "DUNLIN_LLAMA_NATIVE_PYTHON", 0.2),
}


def say(message):
    print(f"bench-peers: {message}", file=sys.stderr)


class Gone(Exception):
    """A peer's process ended; what it said last."""


class Worker:
    """A peer's process; facts is what it says of itself."""

    def __init__(self, name, python, log, job):
        script, self.limit = PROCESSES[name][0], PROCESSES[name][2]
        self.name, self.log = name, log
        self.process = subprocess.Popen([python, Path(__file__).parent / script[0], *script[1:]], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8")
        self.facts = self.ask(json.dumps(job))

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.process.wait()
            said = Path(self.log.name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            # Without folders, which are this machine's, and not endlessly.
            reason = re.sub(r"/\S*/", "", said[-1] if said else "no word")[:200]
            raise Gone(f"{self.name} ended with {self.process.returncode}: {reason}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Dunlin:
    """The program, with the config of a model."""

    def __init__(self, args, model, folder):
        self.args, self.model, self.folder = args, model, folder
        self.environment = os.environ | {"POCL_MAX_PTHREAD_COUNT": str(args.threads)}
        self.config = folder / "peers.ini"
        texts = []
        for name, n in CHECKED.items():
            lines = (ROOT / "data" / name / "valid.tsv").read_text(encoding="utf-8").splitlines()[:n]
            texts += [line.split("\t")[0] for line in lines]
        data = folder / "checked.tsv"
        data.write_text("".join(f"{text}\t{'ab'[i % 2]}\n" for i, text in enumerate(texts)), encoding="utf-8")
        self.config.write_text(
            f"[device]\nuse = {args.device}\n[model]\npath = {quoted(model)}\npoint = hidden\n"
            f"[data]\ntrain = {quoted(data)}\nvalid = {quoted(data)}\nmax_length = {LONGEST}\n"
            f"[prompt]\ninit = text\ntext = {quoted(PROMPT)}\nlr_scale = none\n[train]\nbatch_size = {BATCH}\n",
            encoding="utf-8")
        begin, prompt, *ids = token_ids(args.dunlin, model, ["", PROMPT, *texts])
        self.prompt, self.checked = prompt[len(begin):], [one[:LONGEST] for one in ids]
        self.has_precision = "device.precision" not in self.run(
            "points", "--out", folder / "none", "--set", "device.precision=f32", "--set", "model.path=none").stderr

    def run(self, command, *words):
        return subprocess.run([self.args.dunlin, command, self.config, *words], env=self.environment,
                              text=True, encoding="utf-8", capture_output=True, check=False)

    def settings(self, form):
        precision, weights, _ = form
        pairs = [("weights", weights)] + ([("precision", precision)] if self.has_precision else [])
        return [word for key, value in pairs for word in ("--set", f"device.{key}={value}")]

    def points(self, form):
        """Points of the checked texts; or why there are none."""
        if form[0] != "f32" and not self.has_precision:
            return None, "this build has no device.precision"
        path = self.folder / "points.safetensors"
        done = self.run("points", "--out", path, *self.settings(form))
        if done.returncode:
            return None, done.stderr.strip().splitlines()[-1]
        if f"precision {form[0]}, portable" in done.stderr and not self.args.portable:
            return None, "no matrix unit here, and the portable variant is no gain (--portable measures it)"
        return read_points(path), None

    def bench(self, form):
        done = self.run("bench", "--json", "--no-products", "--quiet", *self.settings(form))
        if done.returncode:
            raise SystemExit(f"bench-peers: dunlin bench ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)


def read_points(path):
    """The points of a safetensors file, a list each."""
    data = path.read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    about = json.loads(data[8 : 8 + n])["points"]
    values = array.array("f", data[8 + n + about["data_offsets"][0] : 8 + n + about["data_offsets"][1]])
    rows, width = about["shape"]
    return [list(values[i * width : (i + 1) * width]) for i in range(rows)]


def distance(points, reference):
    """The largest, over texts, of || a - b || / || b ||."""
    if len(points) != len(reference):
        return math.inf
    return max(math.dist(a, b) / math.hypot(*b) for a, b in zip(points, reference))


def form_name(form):
    return "dunlin " + (form[1] if form[0] == "f32" else f"{form[0]}, {form[1]} weights")


def figures_of(bench):
    """Of `dunlin bench --json`, what a peer's answer has for each measure."""
    stages = {stage["stage"]: stage for stage in bench["step"]["stages"]}
    found = {f"text {text['tokens']}": text for text in bench["texts"]} | {"step": stages["step"]}
    return {name: {"clock_s": 1e-3 * figure["median_ms"], "processor_s": 1e-3 * figure["processor_ms"]}
            for name, figure in found.items()}


def job_of(dunlin, bench, threads):
    """What the peers are to do: the texts of dunlin's passes, and those of its step."""
    def cut(n, tokens):
        return [bench["tokens"][i * tokens : (i + 1) * tokens] for i in range(n)]

    step = bench["step"]
    if step["prompt_rows"] != len(dunlin.prompt):
        raise SystemExit(f"bench-peers: dunlin's prompt has {step['prompt_rows']} rows, not {len(dunlin.prompt)}")
    return {"threads": threads, "model": str(dunlin.model), "prompt": dunlin.prompt, "check": dunlin.checked,
            "texts": {str(text["tokens"]): cut(text["texts"], text["tokens"]) for text in bench["texts"]},
            "step": cut(step["batch_size"], step["text_tokens"])}


def check(dunlin, forms, workers):
    """How far everybody's points are from PyTorch's in float32 (dunlin's, where PyTorch is not among them), by name;
    the forms that there are; those that are left out, with the reason."""
    points, left = {}, {}
    for form in forms:
        points[form_name(form)], reason = dunlin.points(form)
        if reason:
            say(f"{form_name(form)} is left out: {reason}")
            left[form_name(form)] = reason
            del points[form_name(form)]
    limits = {form_name(form): form[2] for form in forms}
    for name, worker in workers.items():
        for i, found in enumerate(worker.ask("check")):
            points[f"{name} {i}"], limits[f"{name} {i}"] = found, worker.limit
    f32 = FORMS[0]
    reference = points.get("float32 0") or points.get(form_name(f32)) or dunlin.points(f32)[0]
    off = {name: distance(found, reference) for name, found in points.items()}
    for name, value in off.items():
        say(f"points of {name}: {value:.2g} from float32")
        if not value <= limits[name]:
            raise SystemExit(f"bench-peers: points of {name} are {value:.3g} from float32; at most {limits[name]:g}")
    return off, [form for form in forms if form_name(form) in points], left


def ways_of(dunlin, forms, workers, only):
    """Every way by name: a function for each of its turns, which gives its figures; the process that does it."""
    def of_peer(worker, words):
        return lambda: {measure: worker.ask(word) for measure, word in words.items()}

    ways = {form_name(form): (lambda form=form: figures_of(dunlin.bench(form)), form_name(form)) for form in forms}
    return ways | {name: (of_peer(workers[process], words), process) for name, process, words in PEERS
                   if process in workers and wanted(name, only)}


def wanted(name, only):
    return not only or any(part in name for part in only)


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "rounds": values}


def summary(rounds):
    """Of a way's rounds, smallest, middle and largest of every figure."""
    return {measure: {clock: spread([one[measure][clock] for one in rounds]) for clock in ("clock_s", "processor_s")}
            for measure in rounds[0]}


def take_turns(ways, n_rounds):
    rounds = {name: [] for name in ways}
    for i in range(n_rounds):
        for name in list(ways)[:: 1 if i % 2 == 0 else -1]:
            began = time.monotonic()
            rounds[name].append(ways[name][0]())
            say(f"round {i + 1} of {n_rounds}, {name}: {time.monotonic() - began:.1f} s")
    return rounds


def start_workers(only, job, log):
    """The processes that are wanted and have their Python."""
    workers, left = {}, {}
    for name, process, _ in PEERS:
        python = os.environ.get(PROCESSES[process][1])
        if not wanted(name, only) or process in workers:
            continue
        try:
            if not python:
                raise Gone(f"{PROCESSES[process][1]} is not set")
            say(f"starting {name}")
            workers[process] = Worker(process, python, log, job)
        except Gone as gone:
            left[name] = str(gone)
            say(f"{name} is left out: {gone}")
    return workers, left


def work_of(job):
    """What one repetition of each measure is."""
    texts = {f"text {tokens}": {"texts": len(texts), "tokens": sum(map(len, texts))}
             for tokens, texts in job["texts"].items()}
    step = {"texts": len(job["step"]), "tokens": sum(map(len, job["step"])), "prompt_rows": len(job["prompt"])}
    return texts | {"step": step}


def compare(name, path, args):
    """All about one model."""
    say(name)
    with tempfile.TemporaryDirectory() as folder, open(args.log, "a", encoding="utf-8") as log:
        dunlin = Dunlin(args, path, Path(folder))
        forms = [form for form in FORMS if wanted(form_name(form), args.only)] or FORMS[:1]
        bench = dunlin.bench(FORMS[0])
        job = job_of(dunlin, bench, args.threads)
        workers, left = start_workers(args.only, job, log)
        try:
            off, forms, not_there = check(dunlin, forms, workers)
            ways = ways_of(dunlin, forms, workers, args.only)
            load = [os.getloadavg()[0]]
            rounds = take_turns(ways, args.rounds)
            load.append(os.getloadavg()[0])
        finally:
            for worker in workers.values():
                worker.close()
    return {"name": name, "file": path.name, "bytes": path.stat().st_size, "work": work_of(job), "load": load,
            "dunlin": {key: bench[key] for key in ABOUT},
            "peers": {process: worker.facts for process, worker in workers.items()},
            "ways": [{"name": way, "peer": process, "distance": off.get(process, off.get(f"{process} 0")),
                      "figures": summary(rounds[way])} for way, (_, process) in ways.items()],
            "left_out": left | not_there}


def machine():
    """Of /proc/cpuinfo and its like."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    facts = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in lines if ":" in line}
    memory = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) >> 20
    return {"cpu": facts.get("model name", "?"), "family_model_stepping": [facts.get(key) for key in
            ("cpu family", "model", "stepping")], "flags": facts.get("flags", ""), "cores": os.cpu_count(),
            "memory_gib": memory, "kernel": os.uname().release}


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() or "?"


def measure(args):
    names = {name: ROOT / "models" / file for name, file in MODELS.items() if wanted(name, args.models)}
    for path in [args.dunlin, *names.values()]:
        if not path.exists():
            raise SystemExit(f"bench-peers: {path}: no such file")
    # Everybody gets the same processors: children inherit them.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.log.write_text("", encoding="utf-8")
    began = time.monotonic()
    found = {"date": datetime.date.today().isoformat(), "machine": machine(), "commit": commit(),
             "threads": args.threads, "rounds": args.rounds, "models": []}
    for name, path in names.items():
        found["models"].append(compare(name, path, args))
        found["seconds"] = round(time.monotonic() - began)
        args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    say(f"{args.out}, after {found['seconds']} s; the peers' messages are in {args.log}")
    args.table = args.out
    return peers_table.main(args)


def main():
    parser = argparse.ArgumentParser(prog="bench-peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="processors for each (default: %(default)s)")
    parser.add_argument("--models", nargs="+", default=[], metavar="NAME",
                        help=f"parts of names of: {', '.join(MODELS)}")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="parts of names of the ways")
    parser.add_argument("--device", default="cpu", help="dunlin's device (default: %(default)s)")
    parser.add_argument("--portable", action="store_true", help="also forms that no matrix unit computes here")
    parser.add_argument("--dunlin", type=Path, default=ROOT / "build/release/dunlin",
                        help="program (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="(default: build/peers.json; with --into docs/peers.json)")
    parser.add_argument("--log", type=Path, default=ROOT / "build/peers.log",
                        help="what the peers say (default: %(default)s)")
    parser.add_argument("--table", type=Path, metavar="FILE",
                        help="measure nothing; print the table of an earlier --out")
    parser.add_argument("--into", type=Path, metavar="PAGE",
                        help="write the table into a page, between its marks, instead of printing it")
    parser.add_argument("--check", type=Path, metavar="PAGE",
                        help="with --table: does the page have just that table?")
    args = parser.parse_args()
    args.out = args.out or ROOT / ("docs" if args.into else "build") / "peers.json"
    if args.table:
        return peers_table.main(args)
    try:
        return measure(args)
    except Gone as gone:
        raise SystemExit(f"bench-peers: {gone}") from None


if __name__ == "__main__":
    sys.exit(main())
