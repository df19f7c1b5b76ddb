"""Makes parity.bin: what the model says by transformers' float32 arithmetic, for crates/engine/tests/parity.rs.

    python -m venv V && V/bin/pip install -r tests/reference/requirements.txt
    V/bin/python tests/reference/make_parity.py MODEL.gguf

The file, all numbers little-endian:

    8 bytes   "mohopar1"
    u32       length of the JSON that follows: versions, the model's SHA-256, and per prompt its name, text, token ids
              and `first`, the first position that is recorded; positions `first..len(ids)` follow, prompt by prompt
    per position, 64 x u16 token ids, most likely first; 64 x u16 their log-probabilities; u16 the log-mass of all
              other tokens. A stored q means -q/2048, so 0 to -32 in steps of 0.0005.
"""

import json
import platform
import struct
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers

import bpe
import prompts
from gguf_llama import load, sha256

TOP = 64
STEPS_PER_NAT = 2048
SHORT_TOKENS = range(51, 65)
LONG_POSITIONS = 64
HERE = Path(__file__).parent


def cut(tokenizer, text: str, limit: int) -> tuple[str, list[int]]:
    """The longest start of `text` of at most `limit` tokens that reads back as just these tokens."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    for length in range(min(limit, len(ids)), 0, -1):
        start = tokenizer.decode(ids[:length], skip_special_tokens=False)
        if text.startswith(start) and tokenizer.encode(start, add_special_tokens=False).ids == ids[:length]:
            return start, ids[:length]
    raise SystemExit(f"no start of {text!r} reads back")


def quantise(log_probs: np.ndarray) -> bytes:
    return np.clip(np.rint(-log_probs * STEPS_PER_NAT), 0, 65535).astype("<u2").tobytes()


def record(log_probs: np.ndarray) -> bytes:
    ids = np.argsort(-log_probs, kind="stable")[:TOP]
    rest = np.delete(log_probs, ids)
    tail = np.logaddexp.reduce(rest)
    return ids.astype("<u2").tobytes() + quantise(log_probs[ids]) + quantise(np.array([tail]))


def log_probs(model, ids: list[int]) -> np.ndarray:
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0]
    return torch.log_softmax(logits.double(), dim=-1).numpy()


def main(path: Path) -> None:
    torch.manual_seed(0)
    reader, model = load(path)
    tokenizer = bpe.build(reader)
    entries, body = [], bytearray()
    for index, (name, text) in enumerate([*prompts.SHORT.items(), *prompts.LONG.items()]):
        long = name in prompts.LONG
        # Lengths differ, so that the last KV block is full for some and not for others.
        text, ids = cut(tokenizer, text, 2048 if long else SHORT_TOKENS[index % len(SHORT_TOKENS)])
        first = len(ids) - LONG_POSITIONS if long else 0
        if len(ids) - first < 50:
            raise SystemExit(f"prompt {name} has only {len(ids) - first} positions")
        rows = log_probs(model, ids)
        for row in rows[first:]:
            body += record(row)
        entries.append({"name": name, "text": text, "tokens": ids, "first": first})
        likely = float(np.mean([row[token] for row, token in zip(rows[:-1], ids[1:], strict=True)]))
        print(f"{name:>18}: {len(ids):4} tokens, {len(ids) - first:3} positions, perplexity {np.exp(-likely):.2f}")
    header = {
        "made_by": "tests/reference/make_parity.py",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "gguf": version("gguf"),
        "tokenizers": tokenizers.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "model_sha256": sha256(path),
        "top": TOP,
        "steps_per_nat": STEPS_PER_NAT,
        "prompts": entries,
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    out = HERE / "parity.bin"
    out.write_bytes(b"mohopar1" + struct.pack("<I", len(text)) + text + body)
    print(f"{out}: {out.stat().st_size} bytes, {len(entries)} prompts")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
