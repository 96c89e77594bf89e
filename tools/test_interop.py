"""What tools/test-interop runs: points of exported runs in transformers and PEFT against dunlin's own."""

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

# Before transformers is imported: no progress bars, and nothing is ever looked up on the network.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.dont_write_bytecode = True

import numpy as np
import torch
from peft import PeftModel

import load_export
from reference_texts import REVIEWS

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
TOLERANCE = 1e-3
N_TRAIN, N_VALID = 8, 24
TEXT = " Overall this review sounds very"

# Settings of each kind of run, as --set takes them; every model goes through all of them.
CASES = {
    "suffix": [],
    "suffix, cut": ["data.max_length=7"],
    "suffix, logits": ["model.point=logits"],
    "suffix, layer 2": ["model.layer=2"],
    "prefix": ["prompt.placement=prefix"],
    "template": ["prompt.template=Review: {text} All in all it was {soft:4} indeed {soft:2}", "data.max_length=9"],
    "squared": ["loss.distance=squared", "loss.temperature=10"],
}


def train(dunlin, model, folder, settings):
    """A run of one step, its points and its export."""
    arguments = [f"model.path={model}", "data.train=train.tsv", "data.valid=valid.tsv", "train.epochs=1",
                 f"prompt.text={TEXT}", *settings]
    (folder / "run.ini").write_text("")
    sets = [word for setting in arguments for word in ("--set", setting)]
    for words in (["train", "run.ini", "--out", "run", *sets], ["points", "run", "--out", "points.npz"],
                  ["export", "run", "--format", "peft", "--out", "export"]):
        result = subprocess.run([dunlin, *words], cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            sys.exit(f"dunlin {' '.join(words)}: {result.stderr}")


def difference(found, expected):
    """Largest difference, relative to the largest value."""
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


def peft_points(export, folder, texts):
    """Points as PEFT itself runs the adapter: the prompt before the text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(export.model, folder).eval()
    loud = any("dunlin" in str(warning.message) for warning in caught)
    prompt = model.get_prompt(1)[0].detach()
    same = torch.equal(prompt, export.prompt)
    rows = []
    for text in texts:
        ids = torch.tensor([export.text_ids(text)])
        with torch.no_grad():
            rows.append(model(input_ids=ids, output_hidden_states=True).hidden_states[-1][0, -1])
    return torch.stack(rows), same, loud


def check_case(name, dunlin, path, loaded):
    """Prints a line; returns whether all is well."""
    texts = [text for text, _ in REVIEWS[N_TRAIN:N_TRAIN + N_VALID]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for part, rows in (("train", REVIEWS[:N_TRAIN]), ("valid", REVIEWS[N_TRAIN:N_TRAIN + N_VALID])):
            (folder / f"{part}.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
        train(dunlin, path, folder, CASES[name])
        expected = np.load(folder / "points.npz")["points"]
        export = load_export.Export(folder / "export", *loaded)
        worst = difference(export.points(texts), expected)
        through_peft, same, loud = peft_points(export, folder / "export", texts)
    right = worst <= TOLERANCE and same
    line = f"{path.name:34} {name:16} transformers {worst:.1e}, PEFT's prompt {'the same' if same else 'OTHER'}"
    if name == "prefix":
        peft_worst = difference(through_peft, expected)
        right = right and peft_worst <= TOLERANCE
        line += f", PEFT's own points {peft_worst:.1e}"
    print(line + (", PEFT warns of the key dunlin" if loud else ""), flush=True)
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dunlin", required=True)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    dunlin = str(Path(options.dunlin).resolve())
    paths = sorted((ROOT / "tests" / "fixtures").glob("tiny-[abc].gguf"))
    if not options.tiny:
        if not REAL.exists():
            sys.exit(f"{REAL} is not there; run tools/model, or use --tiny")
        paths.append(REAL)
    right = True
    for path in paths:
        loaded = load_export.load_model(path)
        for name in CASES:
            right = check_case(name, dunlin, path, loaded) and right
    print("all within 1e-3" if right else "FAILED")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
