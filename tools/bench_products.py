"""The matrix products of a model in dunlin and in PyTorch: what tools/bench-pytorch --products runs.

dunlin bench names the shapes and its seconds; PyTorch then multiplies the same shapes, and both again a few
times, so that neither has the machine at its better moment alone. One repetition is one product with each of as many
matrices as the model has layers (one for the head), so that no weights wait in a cache; both write into memory
that is there already and count repetitions alike. Forward is (M, K) times a weight (N, K) transposed, backward
(M, K) times a weight (K, N), all float32.
"""

import json
import statistics
import subprocess
import sys
import time

import torch

# As dunlin bench repeats: a first time that does not count, then until both are enough.
MIN_REPEATS, MAX_REPEATS, ENOUGH_SECONDS = 5, 100, 0.5


def run_dunlin(program, config, environment):
    """What dunlin bench measured, points being logits so that the head is among the products."""
    out = subprocess.run([program, "bench", config, "--set", "model.point=logits", "--json", "--quiet"],
                         check=True, env=environment, stdout=subprocess.PIPE).stdout
    return json.loads(out)


def run_pytorch(product):
    """Best and median GFLOP/s of one of dunlin's products."""
    m, n, k, n_matrices = (product[key] for key in ("m", "n", "k", "matrices"))
    backward = product["direction"] == "backward"
    weights = [torch.rand(k, n) if backward else torch.rand(n, k).T for _ in range(n_matrices)]
    x, out = torch.rand(m, k) + 0.5, torch.empty(m, n)
    samples = []
    while len(samples) <= MIN_REPEATS or (len(samples) <= MAX_REPEATS and sum(samples[1:]) < ENOUGH_SECONDS):
        began = time.perf_counter()
        for weight in weights:
            torch.mm(x, weight, out=out)
        samples.append(time.perf_counter() - began)
    work = 2e-9 * m * n * k * n_matrices
    return {"best_gflops": work / min(samples[1:]), "median_gflops": work / statistics.median(samples[1:])}


def together(rounds):
    """The best of the bests, and the mean of the medians."""
    return {"best": max(r["best_gflops"] for r in rounds),
            "median": statistics.mean(r["median_gflops"] for r in rounds)}


def run(program, config, environment, n_rounds):
    """The products, GFLOP/s of both and dunlin's parts of PyTorch's."""
    dunlin, pytorch = [], []
    for _ in range(n_rounds):
        print("bench-pytorch: products, dunlin ...", file=sys.stderr)
        dunlin.append(run_dunlin(program, config, environment))
        print("bench-pytorch: products, PyTorch ...", file=sys.stderr)
        with torch.inference_mode():
            pytorch.append([run_pytorch(product) for product in dunlin[0]["products"]])
    rows = []
    for i, product in enumerate(dunlin[0]["products"]):
        row = {key: product[key] for key in ("matrix", "direction", "m", "n", "k", "matrices")}
        row["dunlin"] = together([r["products"][i] for r in dunlin])
        row["pytorch"] = together([r[i] for r in pytorch])
        row["ratio"] = {key: row["dunlin"][key] / row["pytorch"][key] for key in ("best", "median")}
        rows.append(row)
    return {"torch": torch.__version__, "device": dunlin[0]["device"], "gemm": dunlin[0]["gemm"], "products": rows}


def print_table(results):
    print("GFLOP/s, best and median; ratio: dunlin's over PyTorch's\n")
    print(f"{'product':9}{'direction':10}{'M':>6}{'N':>7}{'K':>7}"
          + "".join(f"{name:>10}{'median':>8}" for name in ("dunlin", "PyTorch", "ratio")))
    for row in results["products"]:
        print(f"{row['matrix']:9}{row['direction']:10}{row['m']:6}{row['n']:7}{row['k']:7}"
              + "".join(f"{row[name]['best']:10.1f}{row[name]['median']:8.1f}" for name in ("dunlin", "pytorch"))
              + f"{row['ratio']['best']:10.2f}{row['ratio']['median']:8.2f}")
