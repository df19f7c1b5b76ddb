//! Model files: their header, and the chat template in it, which is a program by whoever made the model.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use moho_engine::ChatTurn;
use moho_engine::hostile_input::{GgufHeader, HostileTemplate, TemplateBounds};
use moho_terms::Content;

/// A template that goes over its bounds keeps its thread for good: after so many of them only compiling goes on.
const LOST_THREADS: u32 = 256;
static LOST: AtomicU32 = AtomicU32::new(0);

const BOUNDS: TemplateBounds = TemplateBounds {
    memory: 1 << 20,
    looks: 250,
};

/// The bytes as a container.
pub fn gguf(data: &[u8]) {
    let Ok(header) = GgufHeader::parse(data) else {
        return;
    };
    let printed = header.print();
    assert!(printed.len() <= data.len(), "not longer than what was parsed");
    assert!(
        GgufHeader::parse(&printed).is_ok_and(|again| again == header),
        "a header printed says the same"
    );
    if let Err(error) = header.open() {
        assert!(!error.to_string().is_empty());
    }
}

/// A template, then lines that are turns, after a line of three hyphens.
pub fn chat_template(data: &[u8]) {
    let text = super::text(data);
    let (source, lines) = text.split_once("\n---\n").unwrap_or((&text, "Hello!"));
    let Ok(template) = HostileTemplate::compile(source) else {
        return;
    };
    if LOST.load(Ordering::Relaxed) >= LOST_THREADS {
        return;
    }
    let roles = ["system", "user", "assistant"].iter().cycle();
    let turn = |(role, line): (&&'static str, &str)| ChatTurn {
        role,
        text: Content::new(line.to_owned()),
    };
    let turns: Vec<ChatTurn> = roles.zip(lines.lines().take(8)).map(turn).collect();
    let rendered = template.render(&turns, BOUNDS);
    if template.is_spent() {
        if LOST.fetch_add(1, Ordering::Relaxed).saturating_add(1) == LOST_THREADS {
            // Whoever watches has to know that little is tried any more; if nobody listens, there is nobody to tell.
            drop(writeln!(
                std::io::stderr(),
                "chat_template: {LOST_THREADS} templates kept their threads; from here on templates are only compiled, start again"
            ));
        }
        assert!(rendered.is_err(), "what was stopped says nothing");
    }
    let Ok(rendered) = rendered else { return };
    assert!(rendered.len() <= 8 * data.len() + (1 << 16), "output is bounded");
    if let Ok(tokens) = template.tokens(&rendered) {
        let controls = tokens.iter().filter(|token| **token >= 256).count();
        let written = ["<|im_start|>", "<|im_end|>"].map(|name| rendered.expose().matches(name).count());
        let written: usize = written.iter().sum();
        assert!(controls <= written, "only what is written is a control token");
    }
}
