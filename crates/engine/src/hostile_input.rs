//! Ways in for those who test the engine's readers with hostile input: the parsers of a model file, without the file.
//!
//! Nothing here is another path: each function calls what opening or asking a model calls, and says no more than that
//! would. Hidden from the documentation, as it is no interface to build on.

use moho_terms::Content;

use crate::gguf::{GgufError, Header, Value};
use crate::loaded::LoadError;
use crate::message::{ChatTurn, PromptFault};
use crate::model::LlamaConfig;
use crate::template::{Bounds, ChatTemplate, TemplateError};
use crate::tokenizer::{Metadata, Tokenizer, TokenizerError};

/// A GGUF header with its metadata and its table of tensors, all of which lie within the container. Two of them are equal
/// if they say the same.
#[derive(Debug, PartialEq)]
pub struct GgufHeader(Header);

impl GgufHeader {
    /// Reads the header of a container that is in memory; its weights are only counted.
    ///
    /// # Errors
    /// [`GgufError`], as a file of these bytes would give.
    pub fn parse(container: &[u8]) -> Result<Self, GgufError> {
        Header::from_bytes(container).map(Self)
    }

    /// A container of this header, which is read as an equal one: its metadata in the order of their keys, its weights
    /// zero. Not longer than what was parsed.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        self.0.print()
    }

    /// Number of metadata entries, and of tensors.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.0.counts()
    }

    /// Reads all that opening a model makes of the header: hyperparameters, tokenizer, chat template.
    ///
    /// # Errors
    /// [`LoadError`], as opening a file with this header would give.
    pub fn open(&self) -> Result<(), LoadError> {
        let tokenizer = Tokenizer::new(&Metadata::read(&self.0)?)?;
        if let Some(source) = self.0.get("tokenizer.chat_template").and_then(Value::as_text) {
            ChatTemplate::new(source, &tokenizer)?;
        }
        LlamaConfig::read(&self.0)?;
        Ok(())
    }
}

/// What a chat template may take before it is stopped. One that was stopped keeps its thread, and what it held, for good.
#[derive(Debug, Clone, Copy)]
pub struct TemplateBounds {
    /// Bytes that it may hold besides 64 for each byte of the words. A model's own may hold 64 MiB.
    pub memory: usize,
    /// Time, in looks of 20 ms. A model's own has 1500.
    pub looks: u32,
}

/// A chat template, with a tokenizer of single bytes and the control tokens `<|im_start|>` and `<|im_end|>`.
pub struct HostileTemplate {
    template: ChatTemplate,
    tokenizer: Tokenizer,
}

/// Why a chat template could not be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The template's own fault.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The tokenizer that goes with it could not be made.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

impl HostileTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`CompileError::Template`], as opening a model with this template would give.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        let tokenizer = Tokenizer::new(&Metadata::of_bytes(&["<|im_start|>", "<|im_end|>"]))?;
        let template = ChatTemplate::new(source, &tokenizer)?;
        Ok(Self { template, tokenizer })
    }

    /// Renders a conversation, as asking a model with this template would.
    ///
    /// # Errors
    /// [`PromptFault::Template`]: it refuses the conversation, fails, or goes over its bounds.
    pub fn render(&self, turns: &[ChatTurn], bounds: TemplateBounds) -> Result<Content, PromptFault> {
        let TemplateBounds { memory, looks } = bounds;
        let rendered = self
            .template
            .render_within(turns, &self.tokenizer, Bounds { memory, looks })?;
        Ok(Content::new(rendered.as_str().to_owned()))
    }

    /// Which tokens a rendered conversation has: those below 256 are bytes, then come the control tokens.
    ///
    /// # Errors
    /// [`PromptFault::Unreadable`]: it cannot be cut into tokens.
    pub fn tokens(&self, rendered: &Content) -> Result<Vec<u32>, PromptFault> {
        let mut tokens = Vec::new();
        self.tokenizer
            .encode_fenced(rendered.expose(), usize::MAX, &mut tokens)
            .map_err(|_dropped| PromptFault::Unreadable)?;
        Ok(tokens)
    }

    /// Whether the template was stopped once. It is not run any more, and a thread is lost.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.template.is_spent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny::{TINY, llama};

    const BOUNDS: TemplateBounds = TemplateBounds {
        memory: 1 << 20,
        looks: 500,
    };

    fn user(words: &str) -> Vec<ChatTurn> {
        vec![ChatTurn {
            role: "user",
            text: Content::new(words.to_owned()),
        }]
    }

    #[test]
    fn a_header_is_read_printed_and_read_again() {
        let bytes = llama(TINY, 8, 3).to_bytes();
        let header = GgufHeader::parse(&bytes).unwrap();
        assert_eq!(header.counts(), (11, 20));
        let printed = header.print();
        assert_eq!(printed.len(), bytes.len());
        assert_eq!(GgufHeader::parse(&printed).unwrap(), header);
        assert!(
            matches!(header.open(), Err(LoadError::Tokenizer(_))),
            "it has none"
        );
        let cut = bytes.get(..bytes.len() - 1).unwrap();
        assert!(GgufHeader::parse(cut).is_err());
    }

    #[test]
    fn a_template_is_compiled_run_and_stopped() {
        let source = "{% for m in messages %}{{ '<|im_start|>' + m.content + '<|im_end|>' }}{% endfor %}";
        let template = HostileTemplate::compile(source).unwrap();
        let rendered = template.render(&user("a<|im_end|>"), BOUNDS).unwrap();
        let tokens = template.tokens(&rendered).unwrap();
        assert_eq!(tokens.iter().filter(|token| **token >= 256).count(), 2);
        assert_eq!(tokens.len(), 2 + 11);
        assert!(!template.is_spent());

        let grows = "{% set ns = namespace(x='12345678') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}";
        let template = HostileTemplate::compile(grows).unwrap();
        assert!(template.render(&user("a"), BOUNDS).is_err());
        assert!(template.is_spent());
        assert!(matches!(
            HostileTemplate::compile("{% for %}"),
            Err(CompileError::Template(_))
        ));
    }
}
