//! The model's own chat template, run as the untrusted program that it is.
//!
//! Jinja in `minijinja` with Hugging Face's dialect (`trim_blocks`, Python's string methods, `raise_exception`). No
//! loader, no clock, no environment: a template sees the conversation and nothing else. Fuel bounds its time, a
//! recursion limit the calls within it, and its output is cut off at a bound.
//!
//! Values are printed, compared and dropped by recursion, which no limit of the library bounds. But a level of a value
//! costs at least one instruction, so that fuel bounds the depth too, and templates run on a stack of their own that
//! is deep enough for it.
//!
//! Values inside a template can grow faster than fuel is spent (doubling a string), and comparing them can take for ever.
//! So a template runs on a thread with an allowance of memory and of time. One that goes over either has lost its thread
//! for good, with what it held, and is not run again: a model file costs at most one such thread.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use moho_os::Allowance;
use zeroize::Zeroizing;

use crate::message::{ChatTurn, PromptFault};
use crate::tokenizer::{Tokenizer, fence};

/// Longest template that is taken.
const MAX_SOURCE_BYTES: usize = 1 << 18;
/// Instructions for one conversation: some fifty for each turn of the longest.
const FUEL: u64 = 200_000;
/// The template's stack, of which only what is used takes memory. Levels of a value take up to 560 bytes of it; this is
/// 1300 for each that fuel can build.
const STACK_BYTES: usize = 256 << 20;
const RECURSION: usize = 50;
/// What a template may write besides the words of the turns, and besides each turn once more.
const MAX_OWN_BYTES: usize = 1 << 16;
/// Memory that a template may hold besides that of the words.
const OWN_MEMORY: usize = 64 << 20;
/// Memory for each byte of the words: the values of the conversation, what is made of them, and the output as it grows.
const MEMORY_PER_BYTE: usize = 64;
/// How often a waiting caller looks whether the template was stopped.
const LOOK: Duration = Duration::from_millis(20);
/// Looks after which a template has taken too long: half a minute, as the machine may be busy.
const LOOKS: u32 = 1500;
const NAME: &str = "chat";

/// Why a chat template cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Longer than any real one.
    #[error("the chat template is too long")]
    TooLong,
    /// Not Jinja, or more of it than is supported.
    #[error("the chat template cannot be read")]
    Syntax(#[source] Error),
}

/// What a template may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes that it may hold besides those that the words allow.
    pub(crate) memory: usize,
    /// Looks of 20 ms after which it has taken too long.
    pub(crate) looks: u32,
}

impl Bounds {
    const USUAL: Self = Self {
        memory: OWN_MEMORY,
        looks: LOOKS,
    };
}

/// A chat template that was read.
pub(crate) struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    beginning: String,
    end: String,
    /// It went over its allowance once.
    spent: AtomicBool,
}

impl ChatTemplate {
    /// Reads a template; `tokenizer` knows how its special tokens are spelled.
    pub(crate) fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(TemplateError::TooLong);
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(TemplateError::Syntax)?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_recursion_limit(RECURSION);
        environment.set_fuel(Some(FUEL));
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(TemplateError::Syntax)?;
        let (beginning, end) = (
            tokenizer.beginning_name().to_owned(),
            tokenizer.end_name().to_owned(),
        );
        Ok(Self {
            environment: Arc::new(environment),
            beginning,
            end,
            spent: AtomicBool::new(false),
        })
    }

    /// Renders a conversation up to where the assistant's answer begins, the turns' words fenced.
    pub(crate) fn render(
        &self,
        turns: &[ChatTurn],
        tokenizer: &Tokenizer,
    ) -> Result<Zeroizing<String>, PromptFault> {
        self.render_within(turns, tokenizer, Bounds::USUAL)
    }

    /// Whether it went over its bounds once, and is not run any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Acquire)
    }

    /// As [`ChatTemplate::render`], within other bounds.
    pub(crate) fn render_within(
        &self,
        turns: &[ChatTurn],
        tokenizer: &Tokenizer,
        bounds: Bounds,
    ) -> Result<Zeroizing<String>, PromptFault> {
        if self.is_spent() {
            return Err(PromptFault::Template);
        }
        let (count, words) = (turns.len(), turns.iter().map(|turn| turn.text.len()).sum());
        let context = self.context(turns, tokenizer);
        let environment = Arc::clone(&self.environment);
        let allowance = Allowance::new(
            bounds
                .memory
                .saturating_add(MEMORY_PER_BYTE.saturating_mul(words)),
        );
        let theirs = allowance.clone();
        let (done, rendered) = channel();
        let thread = std::thread::Builder::new()
            .name("moho-template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let text = {
                    let _bounded = theirs.begin();
                    run(&environment, context, (count, words))
                };
                // The caller may have given up.
                drop(done.send(text));
            });
        drop(thread.map_err(|_dropped| PromptFault::Template)?);
        for _look in 0..bounds.looks {
            match rendered.recv_timeout(LOOK) {
                Ok(text) => return text,
                // A panic in the library, which may quote the conversation.
                Err(RecvTimeoutError::Disconnected) => return Err(PromptFault::Template),
                Err(RecvTimeoutError::Timeout) if allowance.is_exhausted() => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.spent.store(true, Ordering::Release);
        Err(PromptFault::Template)
    }

    fn context(&self, turns: &[ChatTurn], tokenizer: &Tokenizer) -> BTreeMap<&'static str, Value> {
        let messages: Vec<Value> = turns.iter().map(|turn| message(turn, tokenizer)).collect();
        BTreeMap::from([
            ("messages", Value::from(messages)),
            ("add_generation_prompt", Value::from(true)),
            ("bos_token", Value::from(self.beginning.as_str())),
            ("eos_token", Value::from(self.end.as_str())),
        ])
    }
}

/// Renders a context that holds `turns` turns with `words` bytes of a tenant's.
fn run(
    environment: &Environment<'_>,
    context: BTreeMap<&'static str, Value>,
    (turns, words): (usize, usize),
) -> Result<Zeroizing<String>, PromptFault> {
    // A fenced word is at most four times as long, and a template may well write a turn twice.
    let room = words.saturating_mul(8).saturating_add(MAX_OWN_BYTES);
    let mut output = Bounded {
        bytes: Zeroizing::new(Vec::with_capacity(words.saturating_add(4096))),
        room,
    };
    let template = environment
        .get_template(NAME)
        .map_err(|_dropped| PromptFault::Template)?;
    // The error is dropped, as it may quote the conversation.
    template
        .render_captured_to(context, &mut output)
        .map_err(|error| {
            let had_too_little = matches!(error.kind(), ErrorKind::OutOfFuel | ErrorKind::WriteFailure);
            // With fewer turns it may have enough; with one there is nothing to leave out.
            if had_too_little && turns > 1 {
                PromptFault::TooLong
            } else {
                PromptFault::Template
            }
        })?;
    let text = std::str::from_utf8(&output.bytes).map_err(|_dropped| PromptFault::Template)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn message(turn: &ChatTurn, tokenizer: &Tokenizer) -> Value {
    let words = fence::around(turn.text.expose(), tokenizer.controls());
    let message = BTreeMap::from([
        ("role", Value::from(turn.role)),
        ("content", Value::from(words.as_str())),
    ]);
    Value::from(message)
}

/// How templates refuse a conversation. The reason is theirs and may quote it, so that it goes no further.
fn raise_exception(_reason: Value) -> Result<Value, Error> {
    Err(Error::new(
        ErrorKind::InvalidOperation,
        "the template refuses the conversation",
    ))
}

/// As Hugging Face's: without HTML's escapes, which the built-in filter adds.
fn to_json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::BadSerialization, "not JSON").with_source(e))
}

/// Takes so many bytes and no more.
struct Bounded {
    bytes: Zeroizing<Vec<u8>>,
    room: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.room = self
            .room
            .checked_sub(more.len())
            .ok_or(io::ErrorKind::StorageFull)?;
        let needed = self.bytes.len().saturating_add(more.len());
        if needed > self.bytes.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity(needed.saturating_mul(2)));
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::tokenizer;
    use moho_terms::Content;

    const SMOLLM: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    fn turns(texts: &[(&'static str, &str)]) -> Vec<ChatTurn> {
        texts
            .iter()
            .map(|(role, text)| ChatTurn {
                role,
                text: Content::new((*text).to_owned()),
            })
            .collect()
    }

    fn rendered(source: &str, texts: &[(&'static str, &str)]) -> Result<String, PromptFault> {
        let tokenizer = tokenizer();
        let template = ChatTemplate::new(source, &tokenizer).unwrap();
        template
            .render(&turns(texts), &tokenizer)
            .map(|text| text.to_string())
    }

    #[test]
    fn smollm_renders_as_its_authors_do() {
        let text = rendered(SMOLLM, &[("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]).unwrap();
        assert_eq!(
            text,
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
        );
        let text = rendered(SMOLLM, &[("system", "Be brief."), ("user", "Hi")]).unwrap();
        assert!(text.starts_with("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"));
    }

    #[test]
    fn doubling_ends_at_the_allowance_and_the_template_is_not_run_again() {
        for doubled in ["ns.x ~ ns.x", "ns.x + ns.x"] {
            let source = format!(
                "{{% set ns = namespace(x='12345678') %}}{{% for m in messages %}}{{% if m.content == 'grow' %}}\
                 {{% for a in range(60) %}}{{% set ns.x = {doubled} %}}{{% endfor %}}{{% endif %}}{{% endfor %}}fine"
            );
            let tokenizer = tokenizer();
            let template = ChatTemplate::new(&source, &tokenizer).unwrap();
            let render = |word| {
                template
                    .render(&turns(&[("user", word)]), &tokenizer)
                    .map(|text| text.to_string())
            };
            assert_eq!(render("stay"), Ok("fine".to_owned()));
            assert_eq!(render("grow"), Err(PromptFault::Template), "{doubled}");
            assert!(template.is_spent(), "{doubled}");
            assert_eq!(render("stay"), Err(PromptFault::Template));
        }
    }

    #[test]
    fn comparing_for_ever_ends_with_the_callers_patience() {
        let source = "{% set ns = namespace(x=[1], y=[1]) %}{% for a in range(60) %}\
            {% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}";
        let tokenizer = tokenizer();
        let template = ChatTemplate::new(source, &tokenizer).unwrap();
        let text = template.render_within(
            &turns(&[("user", "Hi")]),
            &tokenizer,
            Bounds {
                looks: 5,
                ..Bounds::USUAL
            },
        );
        assert_eq!(text.map(|text| text.to_string()), Err(PromptFault::Template));
        assert!(template.is_spent());
    }

    #[test]
    fn python_methods_and_block_trimming_work() {
        let source = "{% for m in messages %}\n    {% if m.content.strip().startswith('a') %}\n{{ m['content'].strip().upper() }}\n    {% endif %}\n{% endfor %}\n{{ messages | tojson }}";
        let text = rendered(source, &[("user", " <abc> "), ("user", " a<c ")]).unwrap();
        assert_eq!(
            text,
            "A<C\n[{\"content\":\" <abc> \",\"role\":\"user\"},{\"content\":\" a<c \",\"role\":\"user\"}]"
        );
    }

    #[test]
    fn more_turns_than_a_template_has_room_or_time_for_are_too_long() {
        let many = vec![("user", ""); 4095];
        assert_eq!(
            rendered(SMOLLM, &many),
            Err(PromptFault::TooLong),
            "too much text"
        );
        let slow = "{% for m in messages %}{% for a in range(100) %}{% endfor %}{% endfor %}";
        assert_eq!(rendered(slow, &many), Err(PromptFault::TooLong), "too much work");
        assert!(rendered(SMOLLM, &many[..1000]).is_ok());
        let refuses = "{% for m in messages %}{{ raise_exception('no') }}{% endfor %}";
        assert_eq!(rendered(refuses, &many), Err(PromptFault::Template));
    }

    #[test]
    fn hostile_templates_end_in_a_refusal() {
        for source in [
            "{{ raise_exception('no') }}",
            "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}{% endfor %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% for a in range(5000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
            "{% include 'other' %}",
            "{% extends '/etc/passwd' %}",
            "{{ messages[0].content.nothing() }}",
            "{{ strftime_now('%Y') }}",
            "{{ none.x.y }}",
        ] {
            assert_eq!(
                rendered(source, &[("user", "hello")]),
                Err(PromptFault::Template),
                "{source}"
            );
        }
    }

    /// As deep as fuel allows, by the cheapest ways to get there; the process must survive.
    #[test]
    fn values_nested_without_end_end_in_a_refusal_or_a_text() {
        let nested = format!("{{% set ns.x = {}ns.x{} %}}", "[".repeat(40), "]".repeat(40));
        let whole = "{% for a in range(4000) %}".to_owned() + &nested + "{% endfor %}";
        let half = "{% for a in range(1950) %}".to_owned() + &nested + "{% endfor %}";
        let both = half.clone() + "{% set n = ns.x %}{% set ns.x = 1 %}" + &half;
        let loops = |inner: &str| {
            let (head, tail) = (
                "{% for a in range(150) %}{% for a in range(150) %}",
                "{% endfor %}{% endfor %}",
            );
            format!("{{% set ns.x = [1] %}}{head}{inner}{tail}")
        };
        for source in [
            whole.clone(),
            format!("{whole}{{{{ ns.x }}}}"),
            format!("{whole}{{{{ ns.x | tojson | length }}}}"),
            format!("{whole}{{{{ {{ns.x: 1}} | length }}}}"),
            format!("{both}{{{{ n == ns.x }}}}"),
            format!("{both}{{{{ n < ns.x }}}}"),
            loops("{% set ns.x = ns.x + [1] %}") + "{{ ns.x }}",
            loops("{% set ns.x = ns.x | batch(1) %}") + "{{ ns.x }}",
            loops("{% set ns.x = ns.x | reverse %}") + "{{ ns.x }}",
            loops("{% set ns.x = {'a': ns.x} %}") + "{{ ns.x | tojson }}",
            "{% for a in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}".to_owned(),
            "{% for a in range(10000) %}{% for a in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{% endfor %}".to_owned(),
        ] {
            let result = rendered(&format!("{{% set ns = namespace(x=1) %}}{source}"), &[("user", "hello")]);
            assert!(result.is_ok() || result == Err(PromptFault::Template), "{source}");
        }
        let deep = format!("{{% set ns = namespace(x=1) %}}{whole}{{{{ ns.x | string | length }}}}");
        assert_eq!(
            rendered(&deep, &[]),
            Ok("320001".to_owned()),
            "the depth is really reached"
        );
    }

    #[test]
    fn templates_that_are_none_are_refused_on_loading() {
        let tokenizer = tokenizer();
        for source in [
            "{% for %}",
            "{{",
            "{% endif %}",
            &"(".repeat(100_000),
            &format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
        ] {
            let template = ChatTemplate::new(source, &tokenizer);
            assert!(template.is_err() || source.starts_with('('), "{}", source.len());
        }
        assert!(matches!(
            ChatTemplate::new(&" ".repeat(1 << 20), &tokenizer),
            Err(TemplateError::TooLong)
        ));
    }
}
