"""Reads a GGUF file of the Llama architecture as transformers would have had it: dequantised, names and order restored."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from transformers import LlamaConfig, LlamaForCausalLM

NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def field(reader: GGUFReader, name: str):
    return reader.fields[name].contents()


def config(reader: GGUFReader) -> LlamaConfig:
    get = lambda name: field(reader, f"llama.{name}")  # noqa: E731
    theta = float(get("rope.freq_base"))
    made = LlamaConfig(
        vocab_size=get("vocab_size"),
        hidden_size=get("embedding_length"),
        intermediate_size=get("feed_forward_length"),
        num_hidden_layers=get("block_count"),
        num_attention_heads=get("attention.head_count"),
        num_key_value_heads=get("attention.head_count_kv"),
        max_position_embeddings=get("context_length"),
        rms_norm_eps=float(get("attention.layer_norm_rms_epsilon")),
        tie_word_embeddings=not any(tensor.name == "output.weight" for tensor in reader.tensors),
        # Newer transformers read the second, older ones the first; a default of 10,000 would load without a word.
        rope_theta=theta,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        attn_implementation="eager",
    )
    return made


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """GGUF keeps the rows of Q and K so that rotary pairs are neighbours; transformers has them half a head apart."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def hf_name(name: str) -> str:
    plain = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
    if name in plain:
        return plain[name]
    _, layer, kind, suffix = name.split(".")
    return f"model.layers.{layer}.{NAMES[kind]}.{suffix}"


def load(path: Path) -> tuple[GGUFReader, LlamaForCausalLM]:
    reader = GGUFReader(path)
    settings = config(reader)
    state = {}
    for tensor in reader.tensors:
        weight = np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        if tensor.name.endswith("attn_q.weight"):
            weight = unpermute(weight, settings.num_attention_heads)
        elif tensor.name.endswith("attn_k.weight"):
            weight = unpermute(weight, settings.num_key_value_heads)
        state[hf_name(tensor.name)] = torch.from_numpy(np.ascontiguousarray(weight))
    model = LlamaForCausalLM(settings).to(torch.float32)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise SystemExit(f"tensors do not match: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    theta = 1.0 / model.model.rotary_emb.inv_freq[1].item() ** (settings.head_dim / 2)
    if abs(theta / field(reader, "llama.rope.freq_base") - 1) > 1e-3:
        raise SystemExit(f"rope theta is {theta}: transformers ignored the setting")
    return reader, model.eval()
