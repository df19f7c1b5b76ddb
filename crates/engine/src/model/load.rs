//! Reading a llama model's weights: which tensors there must be, and what becomes of them.

use std::collections::HashMap;

use super::{LlamaConfig, ModelError};
use crate::device::{Matrix, Unpacked, read_vector};
use crate::gguf::{Gguf, GgufError, Tensor};

/// How activations are multiplied with quantised weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationPath {
    /// Activations are rounded to 15 bits per group of 32: fast, the default.
    Int8,
    /// Weights are widened to f32 on loading: slow and large, exact; for checking the other path.
    F32,
}

/// How to load a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadOptions {
    pub(crate) path: ActivationPath,
    /// Compute threads, the calling one included.
    pub(crate) threads: usize,
}

/// All weights of a model.
pub(super) struct Weights {
    pub(super) embedding: Matrix,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Vec<f32>,
    /// Absent where the embedding table serves as the head too.
    pub(super) head: Option<Matrix>,
    /// Angle per position of each pair of a head's components.
    pub(super) frequencies: Vec<f32>,
}

/// The weights of one layer.
pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) query: Matrix,
    pub(super) key: Matrix,
    pub(super) value: Matrix,
    pub(super) output: Matrix,
    pub(super) feed_norm: Vec<f32>,
    pub(super) gate: Matrix,
    pub(super) up: Matrix,
    pub(super) down: Matrix,
}

const HEAD: &str = "output.weight";
const FREQUENCIES: &str = "rope_freqs.weight";

impl Weights {
    /// Reads all weights; also returns the digest of the file.
    pub(super) fn read(
        gguf: &Gguf,
        config: &LlamaConfig,
        path: ActivationPath,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, [u8; 32]), ModelError> {
        check_tensors(gguf, config)?;
        let widen = path == ActivationPath::F32;
        let mut parts = Parts::default();
        let digest = gguf.read_tensors(progress, |tensor, bytes| {
            parts
                .take(tensor, bytes, widen)
                .map_err(|unpacked| match unpacked {
                    Unpacked::Misshapen => misshapen(tensor, &tensor.shape),
                    Unpacked::Memory => GgufError::Memory {
                        name: tensor.name.clone(),
                    }
                    .into(),
                })?;
            Ok::<_, ModelError>(())
        })?;
        let layers = (0..config.layers)
            .map(|index| parts.layer(index))
            .collect::<Result<_, _>>()?;
        let mut frequencies = frequencies(config);
        if parts.vectors.contains_key(FREQUENCIES) {
            let factors = parts.vector(FREQUENCIES)?;
            frequencies
                .iter_mut()
                .zip(factors)
                .for_each(|(frequency, factor)| *frequency /= factor);
        }
        let embedding = parts.matrix("token_embd.weight")?;
        let norm = parts.vector("output_norm.weight")?;
        let head = parts.matrices.remove(HEAD);
        Ok((
            Self {
                embedding,
                layers,
                norm,
                head,
                frequencies,
            },
            digest,
        ))
    }

    /// The matrix from the last vector to the logits.
    pub(super) fn head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }
}

/// Weights by name, taken out one by one; which there are was checked before.
#[derive(Default)]
struct Parts {
    matrices: HashMap<String, Matrix>,
    vectors: HashMap<String, Vec<f32>>,
}

impl Parts {
    /// Puts in a tensor: a vector as it is, anything else in panels.
    fn take(&mut self, tensor: &Tensor, bytes: &[u8], widen: bool) -> Result<(), Unpacked> {
        if let [length] = tensor.shape.as_slice() {
            let vector = read_vector(tensor.kind, bytes, *length)?;
            self.vectors.insert(tensor.name.clone(), vector);
        } else {
            let (width, rows) = columns_and_rows(tensor);
            let matrix = Matrix::pack(tensor.kind, bytes, (rows, width), widen)?;
            self.matrices.insert(tensor.name.clone(), matrix);
        }
        Ok(())
    }

    fn matrix(&mut self, name: &str) -> Result<Matrix, ModelError> {
        self.matrices.remove(name).ok_or_else(|| missing(name))
    }

    fn vector(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        self.vectors.remove(name).ok_or_else(|| missing(name))
    }

    fn layer(&mut self, index: usize) -> Result<Layer, ModelError> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        Ok(Layer {
            attention_norm: self.vector(&name("attn_norm"))?,
            query: self.matrix(&name("attn_q"))?,
            key: self.matrix(&name("attn_k"))?,
            value: self.matrix(&name("attn_v"))?,
            output: self.matrix(&name("attn_output"))?,
            feed_norm: self.vector(&name("ffn_norm"))?,
            gate: self.matrix(&name("ffn_gate"))?,
            up: self.matrix(&name("ffn_up"))?,
            down: self.matrix(&name("ffn_down"))?,
        })
    }
}

/// Checks everything but the weights themselves; the hyperparameters.
pub(crate) fn check(gguf: &Gguf) -> Result<LlamaConfig, ModelError> {
    let config = LlamaConfig::read(gguf)?;
    check_tensors(gguf, &config)?;
    Ok(config)
}

/// Checks, before any weight is read, that all tensors are there, with the right shapes, and no others.
fn check_tensors(gguf: &Gguf, config: &LlamaConfig) -> Result<(), ModelError> {
    let mut found: HashMap<&str, &Tensor> = gguf.tensors().iter().map(|t| (t.name.as_str(), t)).collect();
    for (name, wanted) in expected(config) {
        match found.remove(name.as_str()) {
            Some(tensor) if tensor.shape == wanted => {}
            Some(tensor) => return Err(misshapen(tensor, &wanted)),
            None if name == HEAD || name == FREQUENCIES => {}
            None => return Err(ModelError::TensorMissing { name }),
        }
    }
    match found.keys().next() {
        Some(name) => Err(ModelError::TensorUnexpected {
            name: (*name).to_owned(),
        }),
        None => Ok(()),
    }
}

/// Names and shapes of all tensors, the optional ones included.
fn expected(config: &LlamaConfig) -> Vec<(String, Vec<usize>)> {
    let (width, hidden) = (config.width, config.feed_forward);
    let (queries, pairs) = (
        config.heads * config.head_size,
        config.kv_heads * config.head_size,
    );
    let mut all = vec![
        ("token_embd.weight".to_owned(), vec![width, config.vocabulary]),
        ("output_norm.weight".to_owned(), vec![width]),
        (HEAD.to_owned(), vec![width, config.vocabulary]),
        (FREQUENCIES.to_owned(), vec![config.head_size / 2]),
    ];
    for index in 0..config.layers {
        for (part, shape) in [
            ("attn_norm", vec![width]),
            ("attn_q", vec![width, queries]),
            ("attn_k", vec![width, pairs]),
            ("attn_v", vec![width, pairs]),
            ("attn_output", vec![queries, width]),
            ("ffn_norm", vec![width]),
            ("ffn_gate", vec![width, hidden]),
            ("ffn_up", vec![width, hidden]),
            ("ffn_down", vec![hidden, width]),
        ] {
            all.push((format!("blk.{index}.{part}.weight"), shape));
        }
    }
    all
}

fn columns_and_rows(tensor: &Tensor) -> (usize, usize) {
    (
        tensor.shape.first().copied().unwrap_or_default(),
        tensor.shape.iter().skip(1).product(),
    )
}

fn missing(name: &str) -> ModelError {
    ModelError::TensorMissing {
        name: name.to_owned(),
    }
}

fn misshapen(tensor: &Tensor, wanted: &[usize]) -> ModelError {
    ModelError::TensorShape {
        name: tensor.name.clone(),
        found: tensor.shape.clone(),
        wanted: wanted.to_vec(),
    }
}

/// In f32 throughout, as the models were trained.
#[expect(clippy::cast_precision_loss, reason = "heads are far smaller than 2²⁴")]
fn frequencies(config: &LlamaConfig) -> Vec<f32> {
    let size = config.head_size as f32;
    (0..config.head_size / 2)
        .map(|pair| 1.0 / config.rope_base.powf((pair * 2) as f32 / size))
        .collect()
}
