"""What tools/test-interop runs: points of exported runs in transformers and PEFT against dunlin's own, and adapters
that PEFT saved in dunlin against PEFT's own."""

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
from peft import PeftModel, PromptTuningConfig, get_peft_model

import load_export
from reference_texts import REVIEWS

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
# tools/model fetches them; the second only where its terms were accepted.
REAL, GEMMA = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf", ROOT / "models" / "gemma-3-270m-q4_k_m.gguf"
TOLERANCE = 1e-4
N_TRAIN, N_VALID = 8, 24
PROMPT_ROWS = 5
TEXT = " Overall this review sounds very"
# A few steps, long enough ones that the prompt is no longer what it began as.
STEPS = ["train.epochs=2", "train.batch_size=4", "prompt.lr=3e-2"]
# The context of the tiny models takes no more.
SHORT = ["data.max_length=40", f"prompt.tokens={PROMPT_ROWS}"]
AFTER = "{text} All in all it was {soft:4} indeed {soft:2}"

# Settings of each kind of run, as --set takes them.
CASES = {
    "suffix": SHORT,
    "suffix, cut": [*SHORT, "data.max_length=7"],
    "suffix, logits": [*SHORT, "model.point=logits"],
    "suffix, layer 2": [*SHORT, "model.layer=2"],
    "prefix": [*SHORT, "prompt.placement=prefix"],
    "prefix, of PEFT": [*SHORT, "prompt.placement=prefix", "prompt.init=file", "prompt.file=adapter", "prompt.lr=0"],
    "template": [f"prompt.template=Review: {AFTER}", "data.max_length=9"],
    "template, after": [f"prompt.template={AFTER}", "data.max_length=9"],
    "squared": [*SHORT, "loss.distance=squared", "loss.temperature=10"],
}
# What a model has to do with.
FAMILY_CASES = ["suffix, logits", "suffix, layer 2", "prefix", "prefix, of PEFT", "template"]
# Where the length of a text changes how all of it turns, no words before it are run once for all.
REFUSED = {("phi3_longrope", "template"): "template, after"}


def dunlin_points(dunlin, model, folder, settings):
    """Points of a run of a few steps, which is exported too."""
    arguments = [f"model.path={model}", "data.train=train.tsv", "data.valid=valid.tsv", f"prompt.text={TEXT}",
                 *STEPS, *settings]
    (folder / "run.ini").write_text("")
    sets = [word for setting in arguments for word in ("--set", setting)]
    for words in (["train", "run.ini", "--out", "run", *sets], ["points", "run", "--out", "points.npz"],
                  ["export", "run", "--format", "peft", "--out", "export"]):
        result = subprocess.run([dunlin, *words], cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            sys.exit(f"dunlin {' '.join(words)}: {result.stderr}")
    return np.load(folder / "points.npz")["points"]


def difference(found, expected):
    """Largest difference, relative to the largest value; infinite where a number is none."""
    found = np.asarray(found)
    worst = float(np.abs(found - expected).max() / np.abs(expected).max()) if found.shape == expected.shape else np.inf
    return worst if np.isfinite(worst) else np.inf


def save_adapter(model, folder):
    """A prompt of PEFT's own making, saved by PEFT."""
    torch.manual_seed(1)
    peft = get_peft_model(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=PROMPT_ROWS))
    with torch.no_grad():
        peft.prompt_encoder.default.embedding.weight.copy_(
            model.get_input_embeddings().weight.std() * torch.randn(PROMPT_ROWS, model.config.hidden_size))
    peft.save_pretrained(folder)


def peft_points(export, folder, texts):
    """Points as PEFT itself runs the adapter, the prompt before the text; its prompt; does it warn of dunlin's key?"""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(export.model, folder).eval()
    loud = any("dunlin" in str(warning.message) for warning in caught)
    rows = []
    hook = export.model.base_model.register_forward_hook(
        lambda _module, _in, out: rows.append(out.last_hidden_state[0, -1]))
    for text in texts:
        with torch.no_grad():
            model(input_ids=torch.tensor([export.text_ids(text)]), use_cache=False)
    hook.remove()
    return torch.stack(rows), model.get_prompt(1)[0].detach(), loud


def check_case(case, dunlin, path, name, loaded):
    """Prints a line; returns whether all is well."""
    texts = [text for text, _ in REVIEWS[N_TRAIN:N_TRAIN + N_VALID]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for part, rows in (("train", REVIEWS[:N_TRAIN]), ("valid", REVIEWS[N_TRAIN:N_TRAIN + N_VALID])):
            (folder / f"{part}.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
        if "of PEFT" in case:
            save_adapter(loaded[0], folder / "adapter")
        expected = dunlin_points(dunlin, path, folder, CASES[case])
        export = load_export.Export(folder / "export", *loaded)
        worst = difference(export.points(texts), expected)
        through_peft, prompt, loud = peft_points(
            export, folder / ("adapter" if "of PEFT" in case else "export"), texts)
    same = torch.equal(prompt, export.prompt) or difference(prompt, export.prompt.numpy()) < 1e-6
    right = worst <= TOLERANCE and same
    line = f"{name:22} {case:16} transformers {worst:.1e}, PEFT's prompt {'the same' if same else 'OTHER'}"
    if case.startswith("prefix"):
        peft_worst = difference(through_peft, expected)
        right = right and peft_worst <= TOLERANCE
        line += f", PEFT's own points {peft_worst:.1e}"
    print(line + (", PEFT warns of the key dunlin" if loud else "") + ("" if right else "  FAILED"), flush=True)
    return right


def models(options):
    """Path, name and cases of every model."""
    if not options.real:
        for path in sorted(FIXTURES.glob("tiny-[abc].gguf")):
            yield path, path.stem, list(CASES)
        for path in sorted((FIXTURES / "families").glob("*/hf")):
            name = path.parent.name
            yield path, name, [REFUSED.get((name, case), case) for case in FAMILY_CASES]
    if not options.tiny:
        if not REAL.exists():
            sys.exit(f"{REAL} is not there; run tools/model, or use --tiny")
        yield REAL, "SmolLM2-135M", list(CASES)
        if GEMMA.exists():
            yield GEMMA, "Gemma 3 270M", list(CASES)
        else:
            print(f"{GEMMA.name} is not there (tools/model gemma3-270m): passed over")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dunlin", required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--model", metavar="NAME", help="only models whose name has this in it")
    options = parser.parse_args()
    dunlin = str(Path(options.dunlin).resolve())
    n_right, n_all, kinds = 0, 0, set()
    for path, name, cases in models(options):
        if options.model and options.model not in name:
            continue
        loaded = load_export.load_model(path)
        kinds.add(loaded[0].config.model_type)
        for case in cases:
            n_right, n_all = n_right + check_case(case, dunlin, path, name, loaded), n_all + 1
    print(f"{len(kinds)} architectures, {n_right} of {n_all} within {TOLERANCE:.0e}")
    return 0 if n_all and n_right == n_all else 1


if __name__ == "__main__":
    sys.exit(main())
