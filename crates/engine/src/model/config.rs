//! The hyperparameters of a llama model, checked once.

use super::ModelError;
use crate::gguf::{Header, Value};

/// Vectors are computed sixteen components at a time.
const LANES: usize = 16;
const LAYERS_LIMIT: usize = 1 << 10;
const SIZE_LIMIT: usize = 1 << 24;
/// Vectors of the largest models are a fifth of this.
const WIDTH_LIMIT: usize = 1 << 18;

/// What a llama model's header says, after every value was checked against the others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LlamaConfig {
    /// Token ids are below this.
    pub(crate) vocabulary: usize,
    /// Positions are below this.
    pub(crate) context: usize,
    /// Length of a token's vector between layers.
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    /// Heads of keys and values, each shared by `heads / kv_heads` query heads.
    pub(crate) kv_heads: usize,
    pub(crate) head_size: usize,
    /// Length of the hidden vector of the feed-forward network.
    pub(crate) feed_forward: usize,
    pub(crate) norm_epsilon: f32,
    /// Base of the rotary frequencies.
    pub(crate) rope_base: f32,
}

fn wrong(key: &'static str, problem: &'static str) -> ModelError {
    ModelError::Hyperparameter { key, problem }
}

/// A count from one to a limit.
fn count(gguf: &Header, key: &'static str, limit: usize) -> Result<usize, ModelError> {
    let value = usize::try_from(gguf.u32(key)?).unwrap_or(usize::MAX);
    if (1..=limit).contains(&value) {
        Ok(value)
    } else {
        Err(wrong(key, "is zero or too large"))
    }
}

/// A vector length from one to a limit, in whole lanes.
fn length(gguf: &Header, key: &'static str) -> Result<usize, ModelError> {
    let value = count(gguf, key, WIDTH_LIMIT)?;
    if value.is_multiple_of(LANES) {
        Ok(value)
    } else {
        Err(wrong(key, "is not a multiple of 16"))
    }
}

impl LlamaConfig {
    /// Reads and checks the hyperparameters.
    pub(crate) fn read(gguf: &Header) -> Result<Self, ModelError> {
        let architecture = gguf.text("general.architecture")?;
        if architecture != "llama" {
            let name = architecture
                .chars()
                .filter(char::is_ascii_graphic)
                .take(32)
                .collect();
            return Err(ModelError::Architecture { name });
        }
        refuse_variants(gguf)?;
        let width = length(gguf, "llama.embedding_length")?;
        let heads = count(gguf, "llama.attention.head_count", SIZE_LIMIT)?;
        let kv_heads = match gguf.get("llama.attention.head_count_kv") {
            None => heads,
            Some(_) => count(gguf, "llama.attention.head_count_kv", heads)?,
        };
        if !heads.is_multiple_of(kv_heads) {
            return Err(wrong(
                "llama.attention.head_count_kv",
                "does not divide the number of heads",
            ));
        }
        let head_size = head_size(gguf, width, heads)?;
        let (norm_epsilon, rope_base) = floats(gguf)?;
        Ok(Self {
            vocabulary: vocabulary(gguf)?,
            context: count(gguf, "llama.context_length", SIZE_LIMIT)?,
            width,
            layers: count(gguf, "llama.block_count", LAYERS_LIMIT)?,
            heads,
            kv_heads,
            head_size,
            feed_forward: length(gguf, "llama.feed_forward_length")?,
            norm_epsilon,
            rope_base,
        })
    }
}

/// Refuses what would change the computation and is not implemented.
fn refuse_variants(gguf: &Header) -> Result<(), ModelError> {
    let scaling = "llama.rope.scaling.type";
    if gguf.get(scaling).is_some() && gguf.text(scaling)? != "none" {
        return Err(wrong(scaling, "is not supported; supported: none"));
    }
    for key in ["llama.rope.scale_linear", "llama.rope.scaling.factor"] {
        if gguf.get(key).is_some_and(|value| value.as_f32() != Some(1.0)) {
            return Err(wrong(key, "is not supported; supported: 1"));
        }
    }
    for key in ["llama.expert_count", "llama.attention.sliding_window"] {
        if gguf.get(key).is_some_and(|value| value.as_u32() != Some(0)) {
            return Err(wrong(key, "is not supported; supported: 0"));
        }
    }
    Ok(())
}

/// The embedding table decides how many tokens there are; what the header says must agree.
fn vocabulary(gguf: &Header) -> Result<usize, ModelError> {
    let name = "token_embd.weight";
    let table = gguf.tensors().iter().find(|tensor| tensor.name == name);
    let table = table.ok_or_else(|| ModelError::TensorMissing {
        name: name.to_owned(),
    })?;
    let vocabulary = table.shape.get(1).copied().unwrap_or(1);
    if vocabulary > SIZE_LIMIT {
        return Err(ModelError::TensorUnexpected {
            name: name.to_owned(),
        });
    }
    let key = "llama.vocab_size";
    if gguf.get(key).is_some() && count(gguf, key, SIZE_LIMIT)? != vocabulary {
        return Err(wrong(key, "does not agree with the embedding table"));
    }
    Ok(vocabulary)
}

fn head_size(gguf: &Header, width: usize, heads: usize) -> Result<usize, ModelError> {
    let key = "llama.attention.key_length";
    let size = match gguf.get(key) {
        Some(_) => count(gguf, key, SIZE_LIMIT)?,
        None if width.is_multiple_of(heads) => width / heads,
        None => {
            return Err(wrong(
                "llama.attention.head_count",
                "does not divide the embedding's length",
            ));
        }
    };
    if !size.is_multiple_of(LANES) || size.saturating_mul(heads) > WIDTH_LIMIT {
        return Err(wrong(
            "llama.attention.head_count",
            "makes heads that are not a multiple of 16, or too large",
        ));
    }
    for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
        if gguf.get(key).is_some() && count(gguf, key, SIZE_LIMIT)? != size {
            return Err(wrong(key, "is not the size of a head"));
        }
    }
    Ok(size)
}

fn floats(gguf: &Header) -> Result<(f32, f32), ModelError> {
    let key = "llama.attention.layer_norm_rms_epsilon";
    let epsilon = gguf.f32(key)?;
    if !(0.0..1.0).contains(&epsilon) {
        return Err(wrong(key, "is not from 0 to 1"));
    }
    // The format's own default; a file made for another base says so.
    let key = "llama.rope.freq_base";
    let base = gguf
        .get(key)
        .map_or(Some(10_000.0), Value::as_f32)
        .unwrap_or(f32::NAN);
    if !(1.0..=1e12).contains(&base) {
        return Err(wrong(key, "is not from 1 to 10¹²"));
    }
    Ok((epsilon, base))
}
