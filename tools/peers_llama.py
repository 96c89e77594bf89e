"""llama.cpp as a peer of tools/bench-peers: `peers_llama.py`, with the bindings that its Python has; see
peers_worker.py.

Texts are read without any output: keys and values of all of their tokens, nothing of the head, which is what a prompt
after them needs and the least that llama.cpp can be asked for (where embeddings are asked for it computes the logits of
every token as well). The bindings of llama-cpp-py-sync and of llama-cpp-python have llama.h's names both.
"""

import re
import sys

sys.dont_write_bytecode = True

import peers_worker

PADDING = 256  # llama.cpp rounds the positions of a sequence up to these


def bindings():
    """llama.h's functions, and their package's name and version."""
    from importlib.metadata import version  # pylint: disable=import-outside-toplevel

    try:
        from llama_cpp_py_sync._cffi_bindings import get_ffi, get_lib  # pylint: disable=import-outside-toplevel

        return get_lib(), get_ffi().string, f"llama-cpp-py-sync {version('llama-cpp-py-sync')}"
    except RuntimeError as error:
        needs = re.search(r"version `(\S+)' not found", str(error))
        sys.exit(f"its library needs {needs[1]}, which this system has not" if needs else str(error))
    except ImportError:
        import llama_cpp  # pylint: disable=import-outside-toplevel

        return llama_cpp, bytes, f"llama-cpp-python {llama_cpp.__version__}"


class Reader:
    """A context for texts of some length, several at a time."""

    def __init__(self, lib, model, texts, threads, embeddings=False):
        self.lib, self.texts = lib, texts
        n_tokens, longest = sum(map(len, texts)), max(map(len, texts))
        params = lib.llama_context_default_params()
        params.n_seq_max = len(texts)
        params.n_ctx = len(texts) * -(-longest // PADDING) * PADDING
        params.n_batch = params.n_ubatch = n_tokens
        params.n_threads = params.n_threads_batch = threads
        params.embeddings = embeddings
        params.kv_unified = False
        params.no_perf = True
        self.context = lib.llama_init_from_model(model, params)
        if not self.context:
            sys.exit("llama.cpp makes no context")
        self.batch = lib.llama_batch_init(n_tokens, 0, 1)
        self.batch.n_tokens = n_tokens
        row = 0
        for sequence, ids in enumerate(texts):
            for position, token in enumerate(ids):
                self.batch.token[row], self.batch.pos[row] = token, position
                self.batch.n_seq_id[row] = 1
                self.batch.seq_id[row][0] = sequence
                self.batch.logits[row] = embeddings
                row += 1

    def read(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        if status := self.lib.llama_decode(self.context, self.batch):
            sys.exit(f"llama_decode says {status}")
        self.lib.llama_synchronize(self.context)

    def points(self, width):
        """The embedding of each text's last token."""
        self.read()
        ends, row = [], 0
        for ids in self.texts:
            row += len(ids)
            values = self.lib.llama_get_embeddings_ith(self.context, row - 1)
            ends.append([values[i] for i in range(width)])
        return ends


def start(job):
    lib, text_of, version = bindings()
    lib.llama_backend_init()
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0
    model = lib.llama_model_load_from_file(job["model"].encode(), params)
    if not model:
        sys.exit(f"llama.cpp does not load {job['model']}")
    words = {}
    for name, texts in job["texts"].items():
        reader = Reader(lib, model, texts, job["threads"])
        words[f"text {name}"] = lambda reader=reader: peers_worker.repeat(reader.read)
    width = lib.llama_model_n_embd(model)
    # The prompt's rows begin as its tokens, so these after a text give the same point.
    whole = [ids + job["prompt"] for ids in job["check"]]
    words["check"] = lambda: [[Reader(lib, model, [ids], job["threads"], embeddings=True).points(width)[0]
                               for ids in whole]]
    # "CPU : SSE3 = 1 | AVX512_VNNI = 1 | ...": what the library was built with.
    features = re.findall(r"(\w+) = [1-9]", text_of(lib.llama_print_system_info()).decode())
    return {"version": version, "features": " ".join(features)}, words


if __name__ == "__main__":
    peers_worker.serve(start)
