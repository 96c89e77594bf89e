"""Reference vectors of a real Gemma 3 270M in a K-quant file, in the form of the tiny families': token ids, points,
largest logits and a gradient, in float64. One of the texts is longer than the model's window of 512 tokens."""

import numpy as np

import reference_families
from reference_model import load_tokenizer
from reference_texts import MODEL_TEXTS, REVIEWS

PROMPT = " Overall this review sounds very"
WORDS = "\tif x == 1:\n\t\treturn [1234, 5678.90]   # two   runs    of blanks\n"
FOREIGN = "Der Käse schmeckt, 水 is water; \U0001f986 quacks. e\u0301 is not é here."


def texts():
    long = " ".join(text for text, _ in REVIEWS) + " " + " ".join(MODEL_TEXTS)
    return ["", "Never again.", MODEL_TEXTS[2], WORDS, FOREIGN, long]


def ids_of(tokenizer, text):
    return tokenizer(text)["input_ids"]  # with the token that begins a text


def prompt_rows(family, document):
    return family.rows(document["prompt_ids"]).detach()


def make(path, seed):
    """The whole of gemma3-270m.json."""
    family, tokenizer = reference_families.Family(path.parent, path.name), load_tokenizer(path)
    prompt_ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    document = {"model": path.name, "prompt_rows": len(prompt_ids), "width": family.model.config.hidden_size,
                "prompt_ids": prompt_ids}
    prompt = prompt_rows(family, document)
    document["cases"] = [{"text": text, "ids": ids_of(tokenizer, text)} for text in texts()]
    for case in document["cases"]:
        case |= family.text_result(case["ids"], prompt)
    if max(len(case["ids"]) for case in document["cases"]) <= family.model.config.sliding_window:
        raise ValueError("no text is longer than the window")
    document["gradient"] = reference_families.make_gradient(family, document["cases"], prompt,
                                                            np.random.default_rng(seed))
    return document


def recompute(document, path):
    """Pairs (name, expected, recomputed) of everything in it."""
    family, tokenizer = reference_families.Family(path.parent, path.name), load_tokenizer(path)
    for case in document["cases"]:
        yield f"ids of {case['text'][:24]!r}", case["ids"], ids_of(tokenizer, case["text"])
    yield from reference_families.recompute_with(family, document, prompt_rows(family, document))
