"""The reference tokenizer: the byte-level BPE of the GGUF file's vocabulary and merges, in Hugging Face's `tokenizers`.

`tokenizer.ggml.pre` "smollm" means: every digit alone, then GPT-2's split, no prefix space. `check` compares with
transformers' own reading of the file and, where it is installed, with llama.cpp, which shares no code with either.
"""

from pathlib import Path

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL = 3


def build(reader: GGUFReader) -> Tokenizer:
    get = lambda name: reader.fields[f"tokenizer.ggml.{name}"].contents()  # noqa: E731
    if (get("model"), get("pre"), get("add_bos_token")) != ("gpt2", "smollm", False):
        raise SystemExit("another kind of tokenizer: teach bpe.py about it first")
    tokens = get("tokens")
    merges = [tuple(merge.split(" ")) for merge in get("merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, get("token_type"), strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def check_llama_cpp(path: Path, texts: dict[str, list[int]], special: bool) -> list[str]:
    try:
        import llama_cpp
    except ImportError:
        return []
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    for text, ids in texts.items():
        theirs = model.tokenize(text.encode(), add_bos=False, special=special)
        if theirs != ids:
            raise SystemExit(f"llama.cpp reads {text!r} as {theirs}, not {ids}")
    return [f"llama-cpp-python {llama_cpp.__version__}"]
