"""Times one training of a soft prompt in PyTorch and in dunlin: what tools/bench-pytorch runs.

  original  every batch: its texts, padded, through the whole model with logits; the prompt after their keys
            and values; backward; an Adam step. The starting centroids and the scoring read texts the same way.
  cached    the keys and values of every text are computed once, without logits, in batches of like lengths,
            and kept; batches of prompts run after them.
  dunlin    dunlin train; its seconds without those of loading the model and building kernels.

All three do the same job: a prompt after each text starts as the tokens of --prompt, centroids as the mean
points of the classes, points are the final hidden states; cross entropy of negative distances; Adam for both,
all epochs, then the validation texts are scored once. The clock runs from the loaded model and the tokenised
texts to the accuracy; PyTorch has run one batch before. dunlin also scores the validation texts before
training, as a yardstick; that has a column of its own and is left out of the total, because PyTorch's ways do
not do it ("all" counts it). The ways draw their orders of texts differently, so losses agree to the last digits
only where one batch is all (--texts 32 --epochs 1). dunlin cuts the texts into tokens for all of them.

Each way is a process of its own; with --rounds they take turns, first in this order, then in the other, and so on, so
that what else the machine does meets all. Tables are of medians, with the smallest and the largest below: tokens of
texts a second (their keys and values), milliseconds a step, and the most memory (VmHWM), PyTorch's without what
loading the model and the first batch, with logits, took for a while.

With --products no training runs and no texts are read: every matrix product of the model, forward and
backward, its head included, with the rows of a training batch and of a pass over texts, in dunlin and in
PyTorch in turns; GFLOP/s of both and their ratio.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Before transformers is imported: no progress bars, and nothing is ever looked up on the network.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# The modules beside this one leave no __pycache__ in the source tree.
sys.dont_write_bytecode = True

import torch

import bench_products
import bench_rounds
import bench_ways
import load_export
from bench_dunlin import quoted, token_ids

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_DUNLIN = ROOT / "build" / "release" / "dunlin"
DEFAULT_PROMPT = " Overall this review sounds very"
STAGES = ["texts", "start", "train", "eval"]
EXTRA = "baseline"  # a stage of dunlin's alone


class Clock:
    """Seconds by stage."""

    def __init__(self):
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def run(self, stage, function, *arguments):
        began = time.monotonic()
        result = function(*arguments)
        if torch.get_default_device().type == "cuda":
            torch.cuda.synchronize()
        self.seconds[stage] += time.monotonic() - began
        return result


def run_pytorch(way, job, args):
    """The whole job in PyTorch; what the report says about it."""
    clock = Clock()
    prompt = job["prompt"].clone().requires_grad_()
    clock.run("texts", way.read_texts)
    centroids = clock.run("start", bench_ways.class_means, way, job["train_labels"], prompt, args.batch_size)
    centroids.requires_grad_()
    loss = clock.run("train", bench_ways.train, way, job["train_labels"], prompt, centroids, args)
    accuracy = clock.run("eval", bench_ways.score, way, len(job["train_labels"]), job["valid_labels"], prompt,
                         centroids, args.batch_size)
    return {"seconds": clock.seconds, "accuracy": accuracy, "last_loss": loss}


def config_text(args, folder):
    """The job as a config of dunlin's."""
    limits = "".join(f"limit_{name} = {limit}\n" for name, limit in
                     (("train", args.limit_train), ("valid", args.limit_valid)) if limit)
    return (f"[experiment]\nseed = {args.seed}\n"
            f"[device]\nuse = {args.device}\n"
            f"[model]\npath = {quoted(args.model.resolve())}\npoint = hidden\n"
            f"[data]\ntrain = {quoted(args.train.resolve())}\nvalid = {quoted(args.valid.resolve())}\n"
            f"max_length = {args.max_length}\n{limits}"
            f"[prompt]\ninit = text\ntext = {quoted(args.prompt)}\nlr = {args.lr}\nlr_scale = none\n"
            "[centroid]\nstart = mean\n"
            "[loss]\nkind = cross-entropy\n"
            # Larger than any number of steps: only the end is measured.
            f"[train]\nepochs = {args.epochs}\nbatch_size = {args.batch_size}\neval_every = 1000000000\n"
            # PyTorch makes no such things either.
            "probe = no\n[output]\nreport = no\n"
            f"dir = {quoted(folder / 'run')}\n")


def run_dunlin(args):
    """The whole job in dunlin; what the report says about it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.ini").write_text(config_text(args, folder), encoding="utf-8")
        environment = os.environ | {"POCL_MAX_PTHREAD_COUNT": str(args.threads)}
        memory = bench_rounds.run_watched([args.dunlin, "train", folder / "bench.ini", "--quiet"], environment)
        metrics = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    seconds = metrics["seconds"]
    return {"seconds": {stage: seconds[stage] for stage in STAGES}, EXTRA: seconds[EXTRA], "memory_mib": memory,
            "accuracy": metrics["accuracy"], "last_loss": metrics["last_loss"],
            "device": metrics["device"]["name"], "platform": metrics["device"]["platform"]}


def read_data(path, limit):
    """Texts and labels of the first lines of a TSV file without header."""
    lines = path.read_text(encoding="utf-8").splitlines()[: limit or None]
    rows = [line.split("\t") for line in lines if line.strip()]
    return [row[0] for row in rows], [row[1] for row in rows]


def read_texts(args):
    """Ids of training and validation texts, and of what a tokenizer puts before them and of the prompt; labels."""
    train_texts, train_labels = read_data(args.train, args.limit_train)
    valid_texts, valid_labels = read_data(args.valid, args.limit_valid)
    begin, prompt, *ids = token_ids(args.dunlin, args.model, ["", args.prompt, *train_texts, *valid_texts])
    return [one[: args.max_length] for one in ids], prompt[len(begin):], train_labels, valid_labels


def read_job(model, args):
    """Token ids, labels as class numbers, and the starting prompt."""
    ids, prompt_ids, train_labels, valid_labels = read_texts(args)
    names = sorted(set(train_labels))
    return {"texts": ids, "prompt": model.get_input_embeddings()(torch.tensor(prompt_ids)).detach(),
            "train_labels": torch.tensor([names.index(label) for label in train_labels]),
            "valid_labels": torch.tensor([names.index(label) for label in valid_labels])}


def warm_up(model, job, batch_size):
    """Lets PyTorch load its libraries and the weights before the clock runs."""
    which = range(min(batch_size, len(job["train_labels"])))
    way = bench_ways.Original(model, job["texts"])
    bench_ways.points(way, which, job["prompt"].clone().requires_grad_()).sum().backward()


def run_here(name, args):
    """One way, once, in this process."""
    if name == "dunlin":
        result = run_dunlin(args)
    else:
        torch.set_num_threads(args.threads)
        torch.manual_seed(args.seed)
        model = load_export.load_weights(args.model).requires_grad_(False).to(args.torch_device)
        # New tensors come into being there.
        torch.set_default_device(args.torch_device)
        job = read_job(model, args)
        way = bench_ways.WAYS[name](model, job["texts"], args.batch_size)
        warm_up(model, job, args.batch_size)
        bench_rounds.forget_peak()
        result = run_pytorch(way, job, args) | {"memory_mib": bench_rounds.peak_mib()}
    return result


def run_all(args):
    """Of each way, what every round gave."""
    ids, _, train_labels, _ = read_texts(args)
    n_tokens, n_steps = sum(map(len, ids)), args.epochs * -(-len(train_labels) // args.batch_size)
    rounds = {name: [] for name in args.only}
    for i in range(args.rounds or 1):
        for name in args.only if i % 2 == 0 else args.only[::-1]:
            print(f"bench-pytorch: round {i + 1}, {name} ...", file=sys.stderr)
            words = [sys.executable, __file__, *sys.argv[1:], "--only", name, "--here"]
            result = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
            bench_rounds.complete(result, n_tokens if name != "original" else 0, n_steps, EXTRA)
            rounds[name].append(result)
    return rounds


def run_products(args):
    """GFLOP/s of the model's products in both."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "products.ini"
        config.write_text(f"[device]\nuse = {args.device}\n[model]\npath = {quoted(args.model.resolve())}\n"
                          f"[prompt]\ninit = text\ntext = {quoted(args.prompt)}\n"
                          f"[train]\nbatch_size = {args.batch_size}\n", encoding="utf-8")
        environment = os.environ | {"POCL_MAX_PTHREAD_COUNT": str(args.threads)}
        return bench_products.run(args.dunlin, config, environment, args.rounds or 4)


def print_table(results):
    titles = [f"{stage} s" for stage in [*STAGES, "total", EXTRA, "all"]] + ["accuracy", "loss", "x total", "x all"]
    widths = [max(9, len(title) + 1) for title in titles]
    print(f"{'':9}" + "".join(f"{title:>{width}}" for title, width in zip(titles, widths)))
    for name, result in results.items():
        seconds = [*result["seconds"].values(), result["total"], result.get(EXTRA, 0.0), result["all"]]
        cells = [f"{value:.2f}" for value in seconds] + [f"{result['accuracy']:.4f}", f"{result['last_loss']:.4f}"]
        if name != "dunlin" and "dunlin" in results:
            cells += [f"{result['total'] / results['dunlin'][key]:.2f}" for key in ("total", "all")]
        print(f"{name:9}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths)))


def arguments():
    parser = argparse.ArgumentParser(prog="bench-pytorch", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = ["original", "cached", "dunlin"]
    parser.add_argument("--train", type=Path, help="training texts, TSV: text, label")
    parser.add_argument("--valid", type=Path, help="validation texts")
    parser.add_argument("--limit-train", type=int, metavar="N", help="only the first N training texts")
    parser.add_argument("--limit-valid", type=int, metavar="N", help="only the first N validation texts")
    parser.add_argument("--texts", type=int, metavar="N", help="both limits, for a short trial")
    parser.add_argument("--steps", type=int, metavar="N",
                        help="one epoch of N full batches, for a short trial")
    parser.add_argument("--epochs", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="(default: %(default)s)")
    parser.add_argument("--lr", type=float, default=3e-2, help="of prompt and centroids (default: %(default)s)")
    parser.add_argument("--max-length", type=int, default=64, help="tokens of a text (default: %(default)s)")
    parser.add_argument("--prompt", default=DEFAULT_PROMPT, help="its starting words (default: '%(default)s')")
    parser.add_argument("--seed", type=int, default=1, help="of the order of texts (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="processors for each way (default: %(default)s)")
    parser.add_argument("--torch-device", default="cpu", help="PyTorch's device (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="dunlin's device (default: %(default)s)")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL,
                        help="GGUF file, or a folder as Hugging Face keeps it (default: %(default)s)")
    parser.add_argument("--dunlin", type=Path, default=DEFAULT_DUNLIN, help="program (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=ways, default=ways, help="some of the ways")
    parser.add_argument("--products", action="store_true",
                        help="compare the model's matrix products instead; needs no texts")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="how often each runs, in turns (default: once; --products: 4 times)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # a way in a process of its own
    args = parser.parse_args()
    if not args.products and not (args.train and args.valid):
        parser.error("the following arguments are required: --train, --valid")
    if args.texts:
        args.limit_train = args.limit_valid = args.texts
    if args.steps:
        args.epochs, args.limit_train = 1, args.steps * args.batch_size
    return args


def missing_file(args):
    """A needed file that is not there, or None."""
    needed = [args.model, args.dunlin] + ([] if args.products else [args.train, args.valid])
    return next((path for path in needed if not path.exists()), None)


def main():
    args = arguments()
    if missing := missing_file(args):
        print(f"bench-pytorch: {missing}: no such file", file=sys.stderr)
        return 1
    # Every way gets the same processors, dunlin included: children inherit them.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    if args.products:
        results = run_products(args)
        if args.json:
            print(json.dumps(results))
        else:
            bench_products.print_table(results)
        return 0
    if args.here:
        print(json.dumps(run_here(args.only[0], args)))
        return 0
    rounds = run_all(args)
    results = {name: bench_rounds.medians(results) for name, results in rounds.items()}
    if args.json:
        job = {key: getattr(args, key) for key in ("limit_train", "limit_valid", "epochs", "batch_size", "lr",
                                                   "max_length", "prompt", "seed", "threads")}
        print(json.dumps({"job": job, "torch": torch.__version__, "ways": results,
                          "rounds": rounds}))
    else:
        print_table(results)
        bench_rounds.print_spread(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
