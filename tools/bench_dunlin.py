"""What benchmarks ask of dunlin beside their figures: token ids of texts, values of a config. Used by
tools/bench-pytorch and tools/bench-peers."""

import json
import subprocess


def quoted(text):
    """A value of a config that keeps its spaces."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def token_ids(program, model, texts):
    """Ids of texts as dunlin cuts them, with what the model's tokenizer puts before each."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    out = subprocess.run([program, "tokenize", "--model", model, "--input", "jsonl"], check=True, text=True,
                         input=lines, stdout=subprocess.PIPE, encoding="utf-8").stdout
    return [json.loads(line)["ids"] for line in out.splitlines()]
