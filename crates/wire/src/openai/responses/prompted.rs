//! `POST /responses` with a prompt that is kept: which one, and its values. The rest is read once the prompt is.

use moho_terms::{Content, ContentBytes};

use super::CreateResponse;
use crate::Failure;
use crate::bedrock::{PromptVariables, RenderedPrompt};
use crate::json::Json;
use crate::openai::fields::{self, Fields, unsupported, wrong_type};

/// A parsed `POST /responses` as far as its prompt.
pub struct PromptedResponse {
    /// The prompt's id or ARN.
    pub id: String,
    /// Which version.
    pub version: Option<String>,
    /// The values of its variables.
    pub variables: PromptVariables,
    /// The key that seals what is kept, by id, ARN or alias.
    pub key: Option<String>,
    /// For how many days it may stay.
    pub days: Option<u32>,
    body: ContentBytes,
}

impl PromptedResponse {
    /// Reads a body; `None` if it names no prompt.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the field.
    pub fn parse(body: &[u8]) -> Result<Option<Self>, Failure> {
        let json = fields::body(body)?;
        let Some(prompt) = Fields::top(&json).object("prompt")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id: prompt.required_text("id")?.to_owned(),
            version: prompt.text("version")?.map(str::to_owned),
            variables: match prompt.object("variables")? {
                Some(variables) => read(&variables)?,
                None => PromptVariables::new(),
            },
            key: None,
            days: None,
            body: ContentBytes::new(body.to_vec()),
        }))
    }

    /// The same, kept under this key and for so many days.
    pub(crate) fn kept_so(self, key: Option<String>, days: Option<u32>) -> Self {
        Self { key, days, ..self }
    }

    /// What is asked, once the prompt is read: what the request says itself counts before what the prompt says.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the field.
    pub fn with(self, prompt: RenderedPrompt) -> Result<CreateResponse, Failure> {
        let create = CreateResponse::read(&fields::body(self.body.expose())?, Some(prompt))?;
        Ok(CreateResponse {
            key: self.key,
            days: self.days,
            ..create
        })
    }
}

/// Values: strings, or parts of text.
fn read(variables: &Fields<'_>) -> Result<PromptVariables, Failure> {
    let mut values = PromptVariables::new();
    for (name, value) in variables.pairs() {
        let param = "prompt.variables";
        let text = match value {
            Json::String(text) => text.expose().to_owned(),
            Json::Object(_) => {
                let part = Fields::at(value, param.to_owned())?;
                match part.required_text("type")? {
                    "input_text" => part.required_text("text")?.to_owned(),
                    _ => return Err(unsupported(param, "values are texts")),
                }
            }
            other @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_)) => {
                return Err(wrong_type(param, "strings as values", other));
            }
        };
        values.insert(name.expose().to_owned(), Content::new(text));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::{Role, Sampling, Turn};

    fn prompt() -> RenderedPrompt {
        let words = |text: &str| Content::new(text.to_owned());
        RenderedPrompt {
            model: crate::bedrock::ModelIdentifier::parse("of-prompt").ok(),
            system: Some(Turn::of(Role::System, words("be kind"))),
            messages: vec![Turn::of(Role::User, words("first"))],
            sampling: Sampling {
                temperature: Some(0.5),
                top_p: Some(0.25),
                ..Sampling::default()
            },
            max_tokens: Some(7),
            stop: vec![words("END")],
        }
    }

    fn parse(body: &str) -> PromptedResponse {
        PromptedResponse::parse(body.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn what_the_request_says_counts_before_what_the_prompt_says() {
        let asked = parse(
            r#"{"prompt":{"id":"ABCDEFGHIJ","version":"2","variables":{"a":"x","b":{"type":"input_text","text":"y"}}}}"#,
        );
        assert_eq!(
            (asked.id.as_str(), asked.version.as_deref()),
            ("ABCDEFGHIJ", Some("2"))
        );
        let values: Vec<_> = asked
            .variables
            .iter()
            .map(|(k, v)| (k.as_str(), v.expose()))
            .collect();
        assert_eq!(values, [("a", "x"), ("b", "y")]);
        let create = asked.with(prompt()).unwrap();
        assert_eq!(create.model.as_str(), "of-prompt");
        assert_eq!(create.instructions.unwrap().expose(), "be kind");
        assert_eq!(
            (create.sampling.temperature, create.max_output_tokens),
            (Some(0.5), Some(7))
        );
        assert_eq!((create.input.len(), create.stop.len()), (1, 1));
        let own = r#"{"model":"own","instructions":"be brief","input":"second","temperature":0,
            "max_output_tokens":9,"prompt":{"id":"ABCDEFGHIJ"}}"#;
        let create = parse(own).with(prompt()).unwrap();
        assert_eq!(create.model.as_str(), "own");
        assert_eq!(create.instructions.unwrap().expose(), "be brief");
        assert_eq!(
            (create.sampling.temperature, create.sampling.top_p),
            (Some(0.0), Some(0.25))
        );
        let said: Vec<_> = create
            .input
            .iter()
            .map(|turn| turn.text().expose().to_owned())
            .collect();
        assert_eq!(
            (said.join(" ").as_str(), create.max_output_tokens),
            ("first second", Some(9))
        );
        assert!(
            CreateResponse::parse(br#"{"input":"x"}"#).is_err(),
            "no prompt, no model"
        );
    }

    #[test]
    fn what_is_no_prompt_is_refused_by_its_field() {
        assert!(
            PromptedResponse::parse(br#"{"model":"m","prompt":null}"#)
                .unwrap()
                .is_none()
        );
        for (body, param) in [
            (r#"{"prompt":"x"}"#, "prompt"),
            (r#"{"prompt":{}}"#, "prompt.id"),
            (r#"{"prompt":{"id":"a","version":1}}"#, "prompt.version"),
            (r#"{"prompt":{"id":"a","variables":{"n":1}}}"#, "prompt.variables"),
            (
                r#"{"prompt":{"id":"a","variables":{"n":{"type":"input_image"}}}}"#,
                "prompt.variables",
            ),
        ] {
            let refused = PromptedResponse::parse(body.as_bytes()).err();
            assert!(
                matches!(&refused, Some(Failure::Invalid { param: Some(of), .. }) if of == param),
                "{body} {refused:?}"
            );
        }
    }
}
