"""llama.cpp's side of `cargo xtask bench engine`: the same file, threads, tokens and counts as ours.

It drives llama.cpp's own C interface, so that no Python stands between two tokens but one call and one argmax in C.
"""

import argparse
import ctypes
import json
import time

import llama_cpp as llama

PREFILL, PROMPT, DECODE, TOGETHER, EACH = 512, 32, 128, 8, 64


def memory(line):
    """A line of this process's status that the kernel counts in KiB, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        for text in status:
            if text.startswith(line + ":"):
                return int(text.split()[1]) * 1024
    raise RuntimeError(f"no {line} in the process status")


def tokens(seed, number, count):
    """The same tokens as our program makes: no language, but the same work."""
    state = (seed * 1_000_003 + number) & 0xFFFFFFFF
    ids = []
    for _ in range(count):
        state = (state * 1_664_525 + 1_013_904_223) & 0xFFFFFFFF
        ids.append((state >> 8) % 40_000 + 1_000)
    return ids


class Peer:
    """One model in one context, with room for all sequences."""

    def __init__(self, path, threads):
        llama.llama_log_set(QUIET, ctypes.c_void_p(0))
        llama.llama_backend_init()
        model = llama.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = llama.llama_model_load_from_file(path.encode(), model)
        settings = llama.llama_context_default_params()
        settings.n_ctx = 2048
        settings.n_batch = PREFILL
        settings.n_ubatch = PREFILL
        settings.n_seq_max = TOGETHER
        settings.kv_unified = True
        settings.n_threads = threads
        settings.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, settings)
        if not self.model or not self.context:
            raise RuntimeError("llama.cpp did not load the model")
        self.batch = llama.llama_batch_init(PREFILL, 0, 1)
        self.greedy = llama.llama_sampler_init_greedy()

    def step(self, rows):
        """Computes rows of (token, position, sequence, wants the next token); gives the next tokens that were wanted."""
        self.batch.n_tokens = len(rows)
        for index, (token, position, sequence, wanted) in enumerate(rows):
            self.batch.token[index] = token
            self.batch.pos[index] = position
            self.batch.n_seq_id[index] = 1
            self.batch.seq_id[index][0] = sequence
            self.batch.logits[index] = wanted
        if llama.llama_decode(self.context, self.batch) != 0:
            raise RuntimeError("llama.cpp did not compute")
        wanted = [index for index, row in enumerate(rows) if row[3]]
        return [llama.llama_sampler_sample(self.greedy, self.context, index) for index in wanted]

    def forget(self):
        """Empties the KV cache."""
        llama.llama_memory_clear(llama.llama_get_memory(self.context), False)

    def read(self, prompts):
        """Reads whole prompts, one sequence each, and gives their next tokens."""
        rows = []
        for sequence, prompt in enumerate(prompts):
            last = len(prompt) - 1
            rows += [(token, position, sequence, position == last) for position, token in enumerate(prompt)]
        return self.step(rows)

    def prefill(self, seed):
        """Tokens a second while reading."""
        self.forget()
        since = time.perf_counter()
        self.read([tokens(seed, 1, PREFILL)])
        return PREFILL / (time.perf_counter() - since)

    def write(self, prompts, count):
        """Tokens a second while writing, all sequences in one batch, after everybody's first token."""
        self.forget()
        latest = self.read(prompts)
        position = len(prompts[0])
        since = time.perf_counter()
        for step in range(count - 1):
            latest = self.step([(token, position + step, row, True) for row, token in enumerate(latest)])
        return len(prompts) * (count - 1) / (time.perf_counter() - since)


@llama.llama_log_callback
def QUIET(_level, _text, _user):
    """llama.cpp's log is of no use here."""


def main():
    """Prints one JSON object."""
    options = argparse.ArgumentParser()
    options.add_argument("--model", required=True)
    options.add_argument("--threads", type=int, required=True)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    seed = options.seed
    before = memory("VmRSS")
    since = time.perf_counter()
    peer = Peer(options.model, options.threads)
    load = time.perf_counter() - since
    peer.write([tokens(seed, 0, PROMPT)], 4)
    result = {
        "prefill": peer.prefill(seed),
        "decode": peer.write([tokens(seed, 2, PROMPT)], DECODE),
        "together": peer.write([tokens(seed, row + 3, PROMPT) for row in range(TOGETHER)], EACH),
        "memory": memory("VmHWM") - before,
        "load_seconds": load,
    }
    print(json.dumps(result))


main()
