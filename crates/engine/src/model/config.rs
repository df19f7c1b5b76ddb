//! The hyperparameters of a llama model, checked once.

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
