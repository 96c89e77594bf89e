#!/usr/bin/env python3
"""Makes the reference vectors under tests/reference/ and the tiny models under tests/fixtures/.

    tools/pytorch-env && build/pytorch-env/bin/python tools/make-reference.py

  tokens.json       texts and their token ids                                  (needs the model file)
  model.json        points, logits and prompt gradients of a real model        (needs the model file)
  curve.json, .tsv  training curves of a real model and the lines they read    (needs the model file)
  losses.json       losses with gradients, centroid updates, boids
  tiny              tests/fixtures/tiny-{a,b,c,d}.gguf, random models, with tiny-{a,b,c,d}.json: every block's
                    output, logits and gradients; tiny-tokens.json: texts and ids of their tokenizer
  families          tests/fixtures/families/NAME: random models of every architecture as folders, each with its
                    reference.json: points, largest logits and a gradient
  gemma             gemma3-270m.json: the same of a real Gemma 3 270M          (needs `tools/model gemma3-270m`)

--only makes some of them. --verify FILE... makes nothing: it recomputes what each FILE says from the
inputs in that FILE (curve.json reads the curve.tsv beside it) and prints how far apart they are.
Everything follows from --seed; with the versions of tools/pytorch-requirements.txt, the same machine
writes the same bytes again.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

# Before transformers is imported: no progress bars, and nothing is ever looked up on the network.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# The modules beside this one leave no __pycache__ in the source tree.
sys.dont_write_bytecode = True

try:
    import torch
except ModuleNotFoundError:
    sys.exit("make-reference: no PyTorch here; run tools/pytorch-env, then build/pytorch-env/bin/python "
             "tools/make-reference.py")

import reference_families
import reference_gemma
import reference_json
import reference_losses
import reference_model
import reference_tiny

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_GEMMA = ROOT / "models" / "gemma-3-270m-q4_k_m.gguf"
DEFAULT_SEED = 20
# One number of threads on every machine: sums come out in the same order.
THREADS = 2

# Largest difference, relative to the largest value of a vector, that --verify accepts.
TOLERANCE = {"tokens": 0.0, "losses": 1e-5, "model": 2e-5, "curve": 2e-4, "tiny": 2e-5, "families": 1e-6,
             "gemma": 1e-6}


def make_tokens(args):
    reference_json.write(args.out / "tokens.json", reference_model.make_tokens(args.model))


def make_losses(args):
    reference_json.write(args.out / "losses.json", reference_losses.make(args.seed))


def make_model(args):
    reference_json.write(args.out / "model.json", reference_model.make_model(args.model))


def make_curve(args):
    document, lines = reference_model.make_curve(args.model)
    reference_json.write(args.out / "curve.json", document)
    (args.out / "curve.tsv").write_text(lines, encoding="utf-8")


def make_tiny(args):
    paths = []
    for i, shape in enumerate(reference_tiny.SHAPES):
        path = args.fixtures / f"{shape.name}.gguf"
        weights_seed, inputs_seed = args.seed + 2 * i, args.seed + 2 * i + 1
        reference_tiny.write_fixture(path, shape, weights_seed)
        document = reference_tiny.make_tiny(path, shape, inputs_seed)
        reference_json.write(args.out / f"{shape.name}.json", document)
        paths.append(path)
    reference_json.write(args.out / "tiny-tokens.json", reference_tiny.make_tiny_tokens(paths))


def make_families(args):
    reference_families.make(args.fixtures / "families", args.seed)


def make_gemma(args):
    reference_json.write(args.out / "gemma3-270m.json", reference_gemma.make(args.gemma, args.seed))


PRODUCTS = {"tokens": make_tokens, "losses": make_losses, "model": make_model, "curve": make_curve,
            "tiny": make_tiny, "families": make_families, "gemma": make_gemma}
# Products, and files to verify, by the option that names the model file they need.
NEED = {"model": {"tokens", "model", "curve"}, "gemma": {"gemma", "gemma3-270m"}}


def recompute(path, args):
    """(kind, pairs (name, expected, recomputed)) of a reference file; its name says what it is."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if path.stem == "tokens":
        return "tokens", reference_model.recompute_tokens(document, args.model)
    if path.stem == "losses":
        return "losses", reference_losses.recompute(document)
    if path.stem == "model":
        return "model", reference_model.recompute_model(document, args.model)
    if path.stem == "curve":
        lines = path.with_suffix(".tsv").read_text(encoding="utf-8")
        return "curve", reference_model.recompute_curve(document, lines, args.model)
    if path.stem == "tiny-tokens":
        return "tokens", reference_model.recompute_tokens(document, args.fixtures / document["model"])
    if path.stem.startswith("tiny-"):
        return "tiny", reference_tiny.recompute_tiny(document, args.fixtures / document["model"])
    if path.stem == "gemma3-270m":
        return "gemma", reference_gemma.recompute(document, args.gemma)
    if path.stem == "reference":
        return "families", reference_families.recompute(document, path.parent)
    raise SystemExit(f"make-reference: {path}: unknown name; one of the files this script writes")


def verify(path, args):
    """Prints a line for each quantity of one file; true if all agree."""
    kind, pairs = recompute(path, args)
    worst, n_pairs = 0.0, 0
    for name, expected, actual in pairs:
        difference = reference_json.difference(expected, actual)
        if difference or kind != "tokens":
            print(f"  {difference:8.1e}  {name}", flush=True)
        worst, n_pairs = max(worst, difference), n_pairs + 1
    good = n_pairs > 0 and worst <= TOLERANCE[kind]
    print(f"{path}: {n_pairs} compared, worst {worst:.1e}, allowed {TOLERANCE[kind]:.0e}: "
          f"{'agrees' if good else 'DIFFERS'}", flush=True)
    return good


def missing_model(args):
    """Says so and returns true if a model file is needed and absent."""
    wanted = {path.stem for path in args.verify} if args.verify else set(args.only)
    for option, needed in NEED.items():
        path = getattr(args, option)
        if wanted & needed and not path.is_file():
            print(f"make-reference: {path}: no such file; name it with --{option}, or use --only with "
                  f"{' '.join(sorted(PRODUCTS.keys() - set.union(*NEED.values())))}", file=sys.stderr)
            return True
    return False


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="GGUF file (default: %(default)s)")
    parser.add_argument("--gemma", type=Path, default=DEFAULT_GEMMA, help="GGUF file (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "reference", help="folder of the JSON files")
    parser.add_argument("--fixtures", type=Path, default=ROOT / "tests" / "fixtures",
                        help="folder of the tiny models")
    parser.add_argument("--only", nargs="+", choices=PRODUCTS, default=list(PRODUCTS), help="make only these")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of everything random (default: %(default)s)")
    parser.add_argument("--verify", nargs="+", type=Path, metavar="FILE", help="recompute and compare, write nothing")
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    if missing_model(args):
        return 1
    if args.verify:
        return 0 if all([verify(path, args) for path in args.verify]) else 1
    for folder in (args.out, args.fixtures):
        folder.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        began = time.monotonic()
        PRODUCTS[name](args)
        print(f"make-reference: {name} done in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
