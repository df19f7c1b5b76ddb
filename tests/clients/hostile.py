"""GGUF files that no honest converter writes, each wrong in one way and small."""

import struct
from pathlib import Path

MAGIC, VERSION = b"GGUF", 3
U32, STRING, ARRAY, U64 = 4, 8, 9, 10
F32, Q4_1, Q2_K = 0, 3, 10
MANY = (1 << 64) - 1


def string(text: bytes | str) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, kind: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", kind) + value


def tensor(name: str, shape: list[int], kind: int, offset: int) -> bytes:
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def file(entries: list[bytes], tensors: list[bytes], data: bytes = b"", *, version=VERSION, counts: tuple[int, int] | None = None) -> bytes:
    tensor_count, entry_count = counts or (len(tensors), len(entries))
    head = MAGIC + struct.pack("<IQQ", version, tensor_count, entry_count) + b"".join(entries) + b"".join(tensors)
    return head + b"\0" * (-len(head) % 32) + data


LLAMA = entry("general.architecture", STRING, string("llama"))


def files() -> dict[str, bytes]:
    """Name → bytes."""
    deep = struct.pack("<IQ", ARRAY, 1) * 10_000 + struct.pack("<IQ", U32, 0)
    return {
        "empty": b"",
        "magic-only": MAGIC,
        "not-gguf": b"PK\3\4" + b"\0" * 1000,
        "version-0": file([LLAMA], [], version=0),
        "version-big-endian": file([LLAMA], [], version=0x0300_0000),
        "many-tensors": file([LLAMA], [], counts=(MANY, 1)),
        "many-entries": file([LLAMA], [], counts=(0, MANY)),
        "sixty-million-tensors": file([LLAMA], [], counts=(60_000_000, 1)),
        "long-key": file([struct.pack("<Q", MANY) + b"x"], []),
        "long-string": file([entry("general.architecture", STRING, struct.pack("<Q", 1 << 62))], []),
        "long-array": file([entry("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", U64, 1 << 61))], []),
        "array-of-strings-that-are-not-there": file([entry("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 1 << 40))], []),
        "deep-array": file([entry("x", ARRAY, deep)], []),
        "unknown-kind": file([entry("x", 99, b"\0" * 8)], []),
        "key-twice": file([LLAMA, LLAMA], []),
        "not-utf-8": file([entry("general.architecture", STRING, string(b"\xff\xfe"))], []),
        "no-metadata": file([], []),
        "another-architecture": file([entry("general.architecture", STRING, string("mamba"))], []),
        "no-tensors": file([LLAMA], []),
        "many-dimensions": file([LLAMA], [string("a") + struct.pack("<I", 1 << 31)]),
        "shape-overflows": file([LLAMA], [tensor("token_embd.weight", [1 << 40, 1 << 40], F32, 0)]),
        "past-the-end": file([LLAMA], [tensor("token_embd.weight", [64, 64], F32, 1 << 40)], b"\0" * 64),
        "offset-overflows": file([LLAMA], [tensor("token_embd.weight", [64, 64], F32, MANY - 31)], b"\0" * 64),
        "unaligned": file([LLAMA], [tensor("token_embd.weight", [8, 1], F32, 1)], b"\0" * 64),
        "overlapping": file([LLAMA], [tensor("a", [16, 1], F32, 0), tensor("b", [16, 1], F32, 32)], b"\0" * 128),
        "tensor-twice": file([LLAMA], [tensor("a", [8, 1], F32, 0), tensor("a", [8, 1], F32, 32)], b"\0" * 64),
        "block-does-not-fit": file([LLAMA], [tensor("token_embd.weight", [33, 1], Q4_1, 0)], b"\0" * 64),
        "refused-type": file([LLAMA], [tensor("token_embd.weight", [256, 1], Q2_K, 0)], b"\0" * 128),
        "alignment-0": file([LLAMA, entry("general.alignment", U32, struct.pack("<I", 0))], []),
    }


def changed_model(source: Path, folder: Path) -> dict[str, Path]:
    """The real model, cut off or changed in one number."""
    whole = source.read_bytes()
    made = {"cut-in-the-middle": whole[: len(whole) // 2], "cut-by-one": whole[:-1], "cut-in-the-header": whole[:100_000]}
    for key, value in [("llama.block_count", 1 << 31), ("llama.embedding_length", 0), ("llama.attention.head_count_kv", 7), ("llama.vocab_size", 1)]:
        at = whole.index(string(key)) + 8 + len(key) + 4
        made[key] = whole[:at] + struct.pack("<I", value) + whole[at + 4 :]
    paths = {}
    for name, data in made.items():
        paths[name] = folder / f"{name}.gguf"
        paths[name].write_bytes(data)
    return paths
