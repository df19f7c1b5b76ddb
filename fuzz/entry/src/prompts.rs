//! Prompts that are kept: what came is kept as it came, and a value in a template is text and nothing else.

use moho_terms::{Arn, Content, ContentBytes};
use moho_wire::aws::ops::bedrock_agent::Request;
use moho_wire::bedrock::{PromptArn, PromptBody, PromptVariables, RenderedPrompt};
use moho_wire::{Command, RequestHead};

/// Values that are tried.
const MOST: usize = 16;

/// The bytes as a line of values (`name=value&…`), and then as a request for a prompt, as one that was kept, and as the text
/// of one.
pub fn prompts(data: &[u8]) {
    let text = super::text(data);
    let (line, rest) = text.split_once('\n').unwrap_or((&text, ""));
    if let Some(named) = line.parse::<Arn>().ok().as_ref().and_then(PromptArn::of) {
        let again = named.at(named.version);
        assert_eq!(again.as_ref(), Some(&named), "an ARN is the sum of its parts");
    }
    let pairs = line.split('&').filter_map(|pair| pair.split_once('='));
    let values: Vec<(&str, &str)> = pairs.take(MOST).collect();
    if let Some(kept) = created(rest.as_bytes()) {
        is_kept(&kept);
        is_filled(&kept, &values);
    }
    if let Some(kept) = PromptBody::decode(&bytes(rest.as_bytes())).ok().and_then(written) {
        is_kept(&kept);
        is_filled(&kept, &values);
    }
    if let Some(kept) = created(of_text(rest).as_bytes()) {
        is_filled(&kept, &values);
    }
}

/// Whether the bytes hold a request for a prompt that can be rendered.
#[must_use]
pub fn is_prompt(data: &[u8]) -> bool {
    let text = super::text(data);
    let (line, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let values = line.split('&').filter_map(|pair| pair.split_once('='));
    created(rest.as_bytes()).is_some_and(|kept| rendered(&kept, values).is_some())
}

fn bytes(bytes: &[u8]) -> ContentBytes {
    ContentBytes::new(bytes.to_vec())
}

/// A prompt of one text.
fn of_text(template: &str) -> String {
    let template = serde_json::to_string(template).unwrap_or_default();
    format!(
        r#"{{"name":"n","variants":[{{"name":"v","templateType":"TEXT","modelId":"m","templateConfiguration":{{"text":{{"text":{template}}}}}}}]}}"#
    )
}

/// What is kept of a prompt that a request makes, if it is taken.
fn created(json: &[u8]) -> Option<ContentBytes> {
    let found = moho_wire::route(&RequestHead {
        method: "POST",
        raw_path: "/prompts/",
        raw_query: "",
        content_type: Some("application/json"),
        authorization: None,
        host: "localhost",
        of_aws: false,
    });
    let command = found.ok()?.command(&|_| Vec::new(), json).ok()?;
    let Command::BedrockAgent(Request::CreatePrompt(create)) = command else {
        return None;
    };
    let create = *create;
    let body = PromptBody {
        name: create.name,
        description: create.description,
        default_variant: create.default_variant,
        variants: create.variants,
    };
    body.check().ok()?;
    let kept = written(body);
    assert!(kept.is_some(), "what was taken can be kept");
    kept
}

fn written(body: PromptBody) -> Option<ContentBytes> {
    body.encode().ok()
}

/// What was kept is read, and would be kept as the same.
fn is_kept(kept: &ContentBytes) {
    let again = PromptBody::decode(kept).ok().and_then(written);
    let again = again.as_ref().map(ContentBytes::expose);
    assert!(again == Some(kept.expose()), "a prompt is kept as it was kept");
}

/// The texts of what is asked with a prompt.
fn rendered<'a>(
    kept: &ContentBytes,
    values: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Vec<String>> {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), Content::new(value.to_owned()));
    let values: PromptVariables = values.map(owned).collect();
    let RenderedPrompt { system, messages, .. } = PromptBody::decode(kept).ok()?.render(&values).ok()?;
    let parts = system.into_iter().chain(messages).flat_map(|turn| turn.parts);
    Some(parts.map(|part| part.expose().to_owned()).collect())
}

/// Whatever the values are, they come where others would come, and are not read: with marks in their places it is the same
/// text, but for what is put in for the marks.
fn is_filled(kept: &ContentBytes, values: &[(&str, &str)]) {
    let json = super::text(kept.expose()).to_lowercase();
    if json.contains('\u{e000}') || json.contains("\\ue000") {
        // It has the marks itself.
        return;
    }
    let mark = |name: &str| format!("\u{e000}{name}\u{e001}");
    let marks: Vec<String> = values.iter().map(|(name, _)| mark(name)).collect();
    let names = values.iter().map(|(name, _)| *name);
    let marked = rendered(kept, names.zip(marks.iter().map(String::as_str)));
    let filled = rendered(kept, values.iter().copied());
    let Some(marked) = marked else {
        assert_eq!(filled, None, "whether there is a prompt is not said by values");
        return;
    };
    let Some(filled) = filled else {
        let blank = values.iter().any(|(_, value)| value.trim().is_empty());
        assert!(blank, "only blank values leave nothing");
        return;
    };
    // Of two values of a name, the last one counts.
    let last = |name: &str| values.iter().rev().find(|(of, _)| *of == name);
    let expected = marked.iter().map(|text| {
        let mut pieces = text.split('\u{e000}');
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |text, piece| {
            let (name, after) = piece.split_once('\u{e001}').unwrap_or_default();
            let value = last(name).map_or("", |(_, value)| *value);
            text + value + after
        })
    });
    assert_eq!(filled, expected.collect::<Vec<_>>(), "values are not read");
}
