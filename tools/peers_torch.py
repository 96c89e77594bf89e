"""PyTorch as a peer of tools/bench-peers: `peers_torch.py float32|bfloat16`; see peers_worker.py.

Both ways of tools/bench-pytorch: `kept` keeps the texts' keys and values, `whole` reads every batch's texts again in
each step, with their logits. Texts are read as `kept` reads them, without logits, and their keys and values are kept.
"""

import os
import sys

# Before transformers is imported: no progress bars, and nothing is ever looked up on the network.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.dont_write_bytecode = True

import torch
import transformers

import bench_ways
import load_export
import peers_worker


def rows_of(model, ids):
    """(P, C) float32 rows of a prompt that begins as some tokens."""
    return model.get_input_embeddings()(torch.tensor(ids)).detach().float()


def step_of(way, n_texts, prompt):
    """A step of a training, as often as wanted: rates are 0, so that every one is the same."""
    labels = torch.arange(n_texts) % 2
    centroids = bench_ways.class_means(way, labels, prompt, n_texts).requires_grad_()
    prompt = prompt.clone().requires_grad_()
    adam = torch.optim.Adam([prompt, centroids], lr=0.0)
    return lambda: bench_ways.step(way, range(n_texts), labels, prompt, centroids, adam)


def start(job):
    torch.set_num_threads(job["threads"])
    model = load_export.load_weights(job["model"], getattr(torch, sys.argv[1])).requires_grad_(False)
    if packed := {type(part).__name__ for part in model.modules()} & {"GgufLinear", "GgufExperts"}:
        sys.exit(f"transformers keeps weights packed ({', '.join(packed)}) and unpacks them in every pass")
    prompt = rows_of(model, job["prompt"])
    words = {}
    for name, texts in job["texts"].items():
        way = bench_ways.Cached(model, texts, len(texts))
        words[f"text {name}"] = lambda way=way: peers_worker.repeat(way.read_texts)
    texts = job["step"]
    kept, whole = bench_ways.Cached(model, texts, len(texts)), bench_ways.Original(model, texts)

    def step(way, least):
        way.read_texts()
        return peers_worker.repeat(step_of(way, len(texts), prompt), least)

    words["step"] = lambda: step(kept, peers_worker.LEAST)
    words["whole step"] = lambda: step(whole, 2)  # seconds each
    checks = [bench_ways.Cached(model, job["check"], len(job["check"])), bench_ways.Original(model, job["check"])]

    def check():
        """Points of some texts, both ways together."""
        with torch.no_grad():
            for way in checks:
                way.read_texts()
            return [bench_ways.points(way, range(len(job["check"])), prompt).tolist() for way in checks]

    words["check"] = check
    facts = {"version": f"PyTorch {torch.__version__}, transformers {transformers.__version__}",
             "features": torch.backends.cpu.get_cpu_capability()}
    return facts, words


if __name__ == "__main__":
    peers_worker.serve(start)
