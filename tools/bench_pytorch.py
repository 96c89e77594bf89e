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
only where one batch is all (--texts 32 --epochs 1).

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
from transformers import DynamicCache

import bench_products
import reference_losses
import reference_model

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


class Original:
    """Points of batches whose texts are read again every time."""

    def __init__(self, model, texts):
        self.model, self.texts = model, texts

    def read_texts(self):
        """Nothing is kept."""

    def prefix(self, which):
        """(keys and values, lengths) of some texts, padded on the right."""
        lengths = [len(self.texts[i]) for i in which]
        ids = torch.zeros(len(which), max(lengths), dtype=torch.long)
        for row, i in enumerate(which):
            ids[row, : lengths[row]] = torch.tensor(self.texts[i])
        with torch.no_grad():
            out = self.model(input_ids=ids, attention_mask=text_mask(lengths), use_cache=True)
        return out.past_key_values, lengths


class Cached:
    """Points of batches whose texts' keys and values are kept from one pass."""

    def __init__(self, model, texts, batch_size):
        self.model, self.texts, self.batch_size = model, texts, batch_size
        self.kept = [None] * len(texts)

    def read_texts(self):
        by_length = sorted(range(len(self.texts)), key=lambda i: len(self.texts[i]))
        for which in batches(by_length, self.batch_size):
            lengths = [len(self.texts[i]) for i in which]
            ids = torch.zeros(len(which), max(lengths), dtype=torch.long)
            for row, i in enumerate(which):
                ids[row, : lengths[row]] = torch.tensor(self.texts[i])
            with torch.no_grad():
                out = self.model.model(input_ids=ids, attention_mask=text_mask(lengths), use_cache=True)
            layers = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
            for row, i in enumerate(which):
                # (layers, keys or values, heads, tokens, head width)
                self.kept[i] = torch.stack([torch.stack([side[row, :, : lengths[row]] for side in layer])
                                            for layer in layers])

    def prefix(self, which):
        """(keys and values, lengths) of some texts, padded on the right."""
        lengths = [len(self.texts[i]) for i in which]
        n_layers, _, heads, _, width = self.kept[which[0]].shape
        rows = torch.zeros(n_layers, 2, len(which), heads, max(lengths), width)
        for row, i in enumerate(which):
            rows[:, :, row, :, : lengths[row]] = self.kept[i]
        cache = DynamicCache()
        for layer in range(n_layers):
            cache.update(rows[layer, 0], rows[layer, 1], layer)
        return cache, lengths


def text_mask(lengths):
    """(B, T) 1 where there is a token."""
    return (torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]).long()


def batches(order, size):
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def points(way, which, prompt):
    """(B, C) hidden states at the last prompt row after some texts."""
    cache, lengths = way.prefix(which)
    n_rows = len(prompt)
    mask = torch.cat([text_mask(lengths), torch.ones(len(which), n_rows, dtype=torch.long)], dim=1)
    positions = torch.tensor(lengths)[:, None] + torch.arange(n_rows)[None]
    out = way.model.model(inputs_embeds=prompt.expand(len(which), -1, -1), attention_mask=mask,
                          position_ids=positions, past_key_values=cache, use_cache=True)
    return out.last_hidden_state[:, -1]


def class_means(way, labels, prompt, batch_size):
    """(K, C) mean points of the training texts of each class."""
    with torch.no_grad():
        all_points = torch.cat([points(way, which, prompt) for which in batches(range(len(labels)), batch_size)])
    return torch.stack([all_points[labels == k].mean(0) for k in range(int(labels.max()) + 1)])


def train(way, labels, prompt, centroids, args):
    """Trains prompt and centroids in place; the last loss."""
    adam = torch.optim.Adam([prompt, centroids], lr=args.lr)
    generator = torch.Generator().manual_seed(args.seed)
    for _ in range(args.epochs):
        order = torch.randperm(len(labels), generator=generator, device="cpu").tolist()
        for which in batches(order, args.batch_size):
            distances = reference_losses.distances(points(way, which, prompt), centroids)
            loss = torch.nn.functional.cross_entropy(-distances, labels[which])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return loss.item()


def score(way, first, labels, prompt, centroids, batch_size):
    """Accuracy of the texts from number `first` on."""
    right = 0
    with torch.no_grad():
        for which in batches(range(len(labels)), batch_size):
            batch = points(way, [first + i for i in which], prompt)
            right += (reference_losses.distances(batch, centroids).argmin(1) == labels[which]).sum().item()
    return right / len(labels)


def run_pytorch(way, job, args):
    """The whole job in PyTorch; what the report says about it."""
    clock = Clock()
    prompt = job["prompt"].clone().requires_grad_()
    clock.run("texts", way.read_texts)
    centroids = clock.run("start", class_means, way, job["train_labels"], prompt, args.batch_size)
    centroids.requires_grad_()
    loss = clock.run("train", train, way, job["train_labels"], prompt, centroids, args)
    accuracy = clock.run("eval", score, way, len(job["train_labels"]), job["valid_labels"], prompt, centroids,
                         args.batch_size)
    return {"seconds": clock.seconds, "accuracy": accuracy, "last_loss": loss}


def quoted(text):
    """A value of a config that keeps its spaces."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def config_text(args, folder):
    """The job as a config of dunlin's."""
    limits = "".join(f"limit_{name} = {limit}\n" for name, limit in
                     (("train", args.limit_train), ("valid", args.limit_valid)) if limit)
    return (f"[experiment]\nseed = {args.seed}\n"
            f"[device]\nuse = {args.device}\n"
            f"[model]\npath = {quoted(args.model.resolve())}\npoint = hidden\n"
            f"[data]\ntrain = {quoted(args.train.resolve())}\nvalid = {quoted(args.valid.resolve())}\n"
            f"max_length = {args.max_length}\n{limits}"
            f"[prompt]\ninit = text\ntext = {quoted(args.prompt)}\nlr = {args.lr}\n"
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
        subprocess.run([args.dunlin, "train", folder / "bench.ini", "--quiet"], check=True, env=environment,
                       stdout=subprocess.DEVNULL)
        metrics = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    seconds = metrics["seconds"]
    return {"seconds": {stage: seconds[stage] for stage in STAGES}, EXTRA: seconds[EXTRA],
            "accuracy": metrics["accuracy"], "last_loss": metrics["last_loss"],
            "device": metrics["device"]["name"], "platform": metrics["device"]["platform"]}


def read_data(path, limit):
    """Texts and labels of the first lines of a TSV file without header."""
    lines = path.read_text(encoding="utf-8").splitlines()[: limit or None]
    rows = [line.split("\t") for line in lines if line.strip()]
    return [row[0] for row in rows], [row[1] for row in rows]


def read_job(model, tokenizer, args):
    """Token ids of training and validation texts, labels as class numbers, and the starting prompt."""
    train_texts, train_labels = read_data(args.train, args.limit_train)
    valid_texts, valid_labels = read_data(args.valid, args.limit_valid)
    names = sorted(set(train_labels))
    ids = [reference_model.token_ids(tokenizer, text)[: args.max_length] for text in train_texts + valid_texts]
    prompt_ids = reference_model.token_ids(tokenizer, args.prompt)
    return {"texts": ids, "prompt": reference_model.embeddings(model, prompt_ids).detach(),
            "train_labels": torch.tensor([names.index(label) for label in train_labels]),
            "valid_labels": torch.tensor([names.index(label) for label in valid_labels])}


def warm_up(model, job, batch_size):
    """Lets PyTorch load its libraries and the weights before the clock runs."""
    which = range(min(batch_size, len(job["train_labels"])))
    points(Original(model, job["texts"]), which, job["prompt"].clone().requires_grad_()).sum().backward()


def run_all(args):
    """Name of each way and what it gave."""
    results = {}
    if set(args.only) - {"dunlin"}:
        torch.set_num_threads(args.threads)
        torch.manual_seed(args.seed)
        model = reference_model.load_model(args.model).to(args.torch_device)
        # New tensors come into being there.
        torch.set_default_device(args.torch_device)
        job = read_job(model, reference_model.load_tokenizer(args.model), args)
        ways = {"original": lambda: Original(model, job["texts"]),
                "cached": lambda: Cached(model, job["texts"], args.batch_size)}
        warm_up(model, job, args.batch_size)
        for name in [name for name in ways if name in args.only]:
            print(f"bench-pytorch: {name} ...", file=sys.stderr)
            results[name] = run_pytorch(ways[name](), job, args)
        del ways, model
    if "dunlin" in args.only:
        print("bench-pytorch: dunlin ...", file=sys.stderr)
        results["dunlin"] = run_dunlin(args)
    for result in results.values():
        result["total"] = sum(result["seconds"].values())
        result["all"] = result["total"] + result.get(EXTRA, 0.0)
    for name in results:
        if name != "dunlin" and "dunlin" in results:
            results[name]["times_dunlin"] = results[name]["total"] / results["dunlin"]["total"]
            results[name]["times_dunlin_all"] = results[name]["total"] / results["dunlin"]["all"]
    return {name: results[name] for name in args.only if name in results}


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
        return bench_products.run(args.dunlin, config, environment, args.rounds)


def print_table(results):
    titles = [f"{stage} s" for stage in [*STAGES, "total", EXTRA, "all"]] + ["accuracy", "loss", "x total", "x all"]
    widths = [max(9, len(title) + 1) for title in titles]
    print(f"{'':9}" + "".join(f"{title:>{width}}" for title, width in zip(titles, widths)))
    for name, result in results.items():
        seconds = [*result["seconds"].values(), result["total"], result.get(EXTRA, 0.0), result["all"]]
        cells = [f"{value:.2f}" for value in seconds] + [f"{result['accuracy']:.4f}", f"{result['last_loss']:.4f}"]
        cells += [f"{result[key]:.2f}" for key in ("times_dunlin", "times_dunlin_all") if key in result]
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
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="GGUF file (default: %(default)s)")
    parser.add_argument("--dunlin", type=Path, default=DEFAULT_DUNLIN, help="program (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=ways, default=ways, help="some of the ways")
    parser.add_argument("--products", action="store_true",
                        help="compare the model's matrix products instead; needs no texts")
    parser.add_argument("--rounds", type=int, default=4,
                        help="how often each multiplies them, in turns (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
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
    needed = [args.model, args.dunlin] if args.products else [args.train, args.valid, args.model] + (
        [args.dunlin] if "dunlin" in args.only else [])
    return next((path for path in needed if not path.is_file()), None)


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
    results = run_all(args)
    if args.json:
        job = {key: getattr(args, key) for key in ("limit_train", "limit_valid", "epochs", "batch_size", "lr",
                                                   "max_length", "prompt", "seed", "threads")}
        print(json.dumps({"job": job, "torch": torch.__version__, "ways": results}))
    else:
        print_table(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
