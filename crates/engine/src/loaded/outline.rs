//! What can be known of a model file without loading it: whether it would load, and what it would take.

use std::path::Path;

use super::{LoadError, most_common_kind};
use crate::device::Isa;
use crate::gguf::{Gguf, Value};
use crate::grammar::Grammars;
use crate::template::ChatTemplate;
use crate::tokenizer::{Metadata, Tokenizer};

/// A model file that would load: everything but the weights themselves was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOutline {
    /// Longest prompt and output together, in tokens.
    pub context_length: u32,
    /// How many numbers its weights hold.
    pub parameters: u64,
    /// The type of most of its weights, such as `Q4_1`.
    pub quantisation: String,
    /// Bytes of the file, and about the memory that its weights will take.
    pub bytes: u64,
    /// Whether it says how a conversation becomes a prompt; without that, no API can chat with it.
    pub has_chat_template: bool,
}

impl ModelOutline {
    /// Reads and checks a GGUF file's header: container, architecture, tensors, tokenizer, chat template.
    ///
    /// # Errors
    /// [`LoadError`], as [`LoadedModel::open`](super::LoadedModel::open) would give for the same file.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let gguf = Gguf::open(path)?;
        let tokenizer = Tokenizer::new(&Metadata::read(&gguf)?)?;
        let template = gguf.get("tokenizer.chat_template").and_then(Value::as_text);
        let template = template
            .map(|source| ChatTemplate::new(source, &tokenizer))
            .transpose()?;
        // That they can be made is all that is wanted.
        let _made = Grammars::new(&tokenizer)?;
        let config = crate::model::check(&gguf)?;
        if config.vocabulary != tokenizer.vocabulary() {
            return Err(LoadError::Vocabulary {
                tokenizer: tokenizer.vocabulary(),
                weights: config.vocabulary,
            });
        }
        let (quantisation, parameters) = most_common_kind(&gguf);
        Ok(Self {
            context_length: u32::try_from(config.context).unwrap_or(u32::MAX),
            parameters,
            quantisation,
            bytes: gguf.file_bytes(),
            has_chat_template: template.is_some(),
        })
    }
}

/// The instruction sets that the engine's kernels can use on this processor, the fastest first: that one is used. The
/// last is always `portable`.
#[must_use]
pub fn kernels() -> Vec<&'static str> {
    Isa::all().into_iter().map(Isa::name).collect()
}
