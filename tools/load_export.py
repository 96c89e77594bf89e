#!/usr/bin/env python3
"""Uses what `dunlin export RUN --format peft --out DIR` wrote, with PyTorch and transformers.

    tools/load_export.py DIR --model MODEL [FILE]              label and distances of every line, as dunlin classify
    tools/load_export.py DIR --model MODEL FILE --out X.npz    the points of the lines

MODEL is the GGUF file that the run was trained with, or the folder or name of the same model for transformers.
An example to copy from: `Export.point` is all there is to it. Needs torch, transformers, safetensors and, for
GGUF files, gguf: tools/pytorch-env.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

# Added to every component of a difference before its length is taken.
DISTANCE_EPS = 1e-6


def load_weights(path, dtype=torch.float32):
    """A model, from a GGUF file or anything that transformers takes."""
    path, options = str(path), {}
    if path.endswith(".gguf"):
        path, options = Path(path).parent, {"gguf_file": Path(path).name}
    return AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **options).eval()


def load_tokenizer(path):
    """Its tokenizer."""
    path, own = str(path), Path(path) / "tokenizer.json"
    if path.endswith(".gguf"):
        tokenizer = AutoTokenizer.from_pretrained(Path(path).parent, gguf_file=Path(path).name).backend_tokenizer
        return numerals_apart(tokenizer) if pre_tokenizer(path) == "smollm" else tokenizer
    # The file as it is: transformers makes some families' tokenizers by rules of its own.
    return Tokenizer.from_file(str(own)) if own.is_file() else AutoTokenizer.from_pretrained(path).backend_tokenizer


def load_model(path):
    """Both."""
    return load_weights(path), load_tokenizer(path)


def pre_tokenizer(path):
    """The name of a GGUF file's pre-tokenizer."""
    import gguf  # pylint: disable=import-outside-toplevel  only for GGUF files

    field = gguf.GGUFReader(path).fields.get("tokenizer.ggml.pre")
    return bytes(field.parts[field.data[0]]).decode() if field else ""


def numerals_apart(tokenizer):
    """transformers does not read tokenizer.ggml.pre; SmolLM makes every numeral a piece of its own."""
    other = Tokenizer.from_str(tokenizer.to_str())
    other.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    return other


class Export:
    """A trained prompt, where it stands, and the centroids of its classes."""

    def __init__(self, folder, model, tokenizer):
        folder = Path(folder)
        facts = json.loads((folder / "dunlin.json").read_text(encoding="utf-8"))
        self.prompt = load_file(folder / "adapter_model.safetensors")["prompt_embeddings"]
        self.tensors = load_file(folder / facts["tensors"])
        self.centroids = self.tensors["centroids"]
        self.classes, self.layout, self.settings = facts["classes"], facts["layout"], facts["settings"]
        self.model, self.tokenizer = model, tokenizer

    def setting(self, name):
        return self.settings[name]

    def text_ids(self, text):
        """Tokens of the text and the words around it, the text's own cut to data.max_length."""
        before, after = self.layout["before"], self.layout["after"]
        begin, end = len(before), len(before) + len(text)
        # What a text spells may be plain characters; transformers can read only all of a string so.
        self.tokenizer.encode_special_tokens = self.settings.get("data.special_tokens") == "text"
        if self.tokenizer.encode_special_tokens and any(
                token.special and token.content in before + after
                for token in self.tokenizer.get_added_tokens_decoder().values()):
            raise SystemExit("data.special_tokens = text, and the template has special tokens: not read here")
        encoding = self.tokenizer.encode(before + text + after, add_special_tokens=False)
        ids, left = list(self.layout["begin"]), int(self.setting("data.max_length"))
        left -= 0 if before or after else len(ids)  # a beginning-of-text token counts where the text is alone
        for token, (first, last) in zip(encoding.ids, encoding.offsets):
            of_text = first < end and last > begin
            left -= of_text
            if not of_text or left >= 0:
                ids.append(token)
        return ids

    def rows(self, text):
        """(N, C) what the model reads: embeddings of tokens, and rows of the prompt."""
        ids = torch.tensor(self.layout["head"] + self.text_ids(text) + self.layout["tail"])
        table = self.model.get_input_embeddings()(ids.clamp(min=0))
        return torch.where((ids < 0)[:, None], self.prompt[(-1 - ids).clamp(min=0)], table)

    def block(self, n):
        """Block number n, counted from 1, under whatever name a model keeps its blocks."""
        lists = (m for m in self.model.base_model.modules() if isinstance(m, torch.nn.ModuleList))
        return next(blocks for blocks in lists if len(blocks) == self.model.config.num_hidden_layers)[n - 1]

    def hidden(self, rows, layer):
        """(C) the last row after a block, or after the last one and the final norm."""
        kept = []
        if layer == "last":
            return self.model.base_model(inputs_embeds=rows, use_cache=False).last_hidden_state[0, -1]
        hook = self.block(int(layer)).register_forward_hook(
            lambda _module, _in, out: kept.append(out[0] if isinstance(out, tuple) else out))
        self.model.base_model(inputs_embeds=rows, use_cache=False)
        hook.remove()
        return kept[0][0, -1]

    def compared(self, point):
        """A point as it is compared: normalised, and through the metric, where the run has them."""
        if self.setting("model.normalize") == "unit":
            point = torch.nn.functional.normalize(point, dim=-1)
        if "normalization" in self.tensors:
            shift, scale = self.tensors["normalization"]
            point = (point - shift) * scale
        return self.tensors["metric"] @ point if "metric" in self.tensors else point

    @torch.no_grad()
    def point(self, text):
        """(D) the model's output at the last row."""
        rows = self.rows(text)[None]
        if self.setting("model.point") == "logits":  # with what a model does to them: its scales and caps
            return self.compared(self.model(inputs_embeds=rows, use_cache=False).logits[0, -1])
        layers = self.settings.get("model.layers") or self.setting("model.layer")
        return self.compared(torch.cat([self.hidden(rows, layer) for layer in layers.split("+")]))

    def points(self, texts):
        """(B, D)"""
        return torch.stack([self.point(text) for text in texts])

    def distances(self, points):
        """(B, K) in double, less what the run's label words say."""
        x, c = points.double()[:, None], self.centroids.double()[None]
        if self.setting("loss.distance") == "cosine":
            far = 1 - torch.nn.functional.cosine_similarity(x, c, dim=-1)
        else:
            far = (x - c + DISTANCE_EPS).norm(dim=-1)
            far = far**2 if self.setting("loss.distance") == "squared" else far
        if "label_rows" in self.tensors:
            said = points.double() @ self.tensors["label_rows"].double().T - self.tensors["label_offsets"].double()
            far = far - float(self.setting("loss.label_weight")) * said
        return far


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", nargs="?", type=Path, help="a text a line; standard input without it")
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, help="write the points to an .npz file instead")
    options = parser.parse_intermixed_args()
    source = options.file.read_text(encoding="utf-8") if options.file else sys.stdin.read()
    texts = source.split("\n")
    texts = texts[:-1] if texts[-1] == "" else texts
    export = Export(options.folder, *load_model(options.model))
    points = export.points(texts)
    if options.out:
        np.savez(options.out, points=points.numpy())
        return
    for distances in export.distances(points):
        print(export.classes[int(distances.argmin())], *(f"{d:.6g}" for d in distances.tolist()), sep="\t")


if __name__ == "__main__":
    main()
