//! Files that are no model of this architecture.

use std::io::Write;

use super::super::{ActivationPath, LlamaConfig};
use super::load;
use crate::gguf::Gguf;
use crate::tiny::{Container, Entry, TINY, TensorEntry, llama};

fn refused(container: &Container) -> String {
    load(container, ActivationPath::Int8)
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

#[test]
fn impossible_hyperparameters_are_refused() {
    let with = |key: &str, entry: Entry| {
        let mut container = llama(TINY, 8, 1);
        container.set(key, entry);
        refused(&container)
    };
    let text = |text: &str| Entry::Text(text.to_owned());
    assert_eq!(
        with("general.architecture", text("gemma3")),
        "architecture `gemma3` is not supported; supported: llama"
    );
    for key in [
        "llama.block_count",
        "llama.context_length",
        "llama.embedding_length",
        "llama.attention.head_count",
        "llama.attention.head_count_kv",
    ] {
        for value in [0, u32::MAX] {
            assert_eq!(
                with(key, Entry::U32(value)),
                format!("metadata key `{key}` is zero or too large")
            );
        }
        assert_eq!(
            with(key, Entry::F32(1.0)),
            format!("metadata key `{key}` is not an integer of 32 bits")
        );
    }
    assert!(
        with("llama.attention.head_count_kv", Entry::U32(3)).ends_with("does not divide the number of heads")
    );
    assert!(
        with("llama.attention.head_count", Entry::U32(8)).ends_with("not a multiple of 16, or too large")
    );
    assert!(
        with("llama.attention.head_count", Entry::U32(6)).ends_with("does not divide the embedding's length")
    );
    for key in ["llama.embedding_length", "llama.feed_forward_length"] {
        assert!(with(key, Entry::U32((1 << 18) + 16)).ends_with("is zero or too large"));
    }
    assert!(with("llama.feed_forward_length", Entry::U32(90)).ends_with("is not a multiple of 16"));
    assert!(with("llama.rope.dimension_count", Entry::U32(8)).ends_with("is not the size of a head"));
    assert!(with("llama.vocab_size", Entry::U32(299)).ends_with("does not agree with the embedding table"));
    assert!(with("llama.rope.scaling.type", text("yarn")).ends_with("is not supported; supported: none"));
    assert!(with("llama.expert_count", Entry::U32(8)).ends_with("is not supported; supported: 0"));
    for value in [f32::NAN, -1.0, 0.0, f32::INFINITY] {
        assert!(
            with("llama.rope.freq_base", Entry::F32(value)).ends_with("is not from 1 to 10¹²"),
            "{value}"
        );
    }
    assert!(
        with("llama.attention.layer_norm_rms_epsilon", Entry::F32(f32::NAN)).ends_with("is not from 0 to 1")
    );
    assert_eq!(with("llama.rope.scaling.type", text("none")), "");
}

#[test]
fn tensors_are_those_of_the_architecture() {
    let with = |change: fn(&mut Vec<TensorEntry>)| {
        let mut container = llama(TINY, 8, 1);
        change(&mut container.tensors);
        refused(&container)
    };
    assert_eq!(
        with(|tensors| drop(tensors.remove(0))),
        "tensor `token_embd.weight` is missing"
    );
    assert_eq!(
        with(|tensors| drop(tensors.remove(1))),
        "tensor `blk.0.attn_q.weight` is missing"
    );
    assert_eq!(
        with(|tensors| drop(tensors.pop())),
        "tensor `output_norm.weight` is missing"
    );
    assert_eq!(
        with(|tensors| tensors[1].shape = vec![32, 128]),
        "tensor `blk.0.attn_q.weight` has the shape [32, 128], where [64, 64] is wanted"
    );
    let bias = |tensors: &mut Vec<TensorEntry>| {
        let bytes = vec![0; 256];
        let name = "blk.0.attn_q.bias".to_owned();
        tensors.push(TensorEntry {
            name,
            shape: vec![64],
            kind: 0,
            bytes,
            offset: None,
        });
    };
    assert_eq!(
        with(bias),
        "tensor `blk.0.attn_q.bias` is not part of a llama model"
    );
    assert!(matches!(LlamaConfig::read(&gguf(&llama(TINY, 8, 1))), Ok(config) if config.head_size == 16));
}

fn gguf(container: &Container) -> Gguf {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&container.to_bytes()).unwrap();
    Gguf::read(file).unwrap()
}
