//! What each principal took, under its unique id: an operator sees how much, and of whom only an id.

use super::page::{Kind, Page};
use crate::usage::{Series, Taken};

/// A kind of tokens, by OpenTelemetry's word, and how many of it were taken.
type TokenKind = (&'static str, fn(&Taken) -> u64);

/// The kinds of tokens that are told apart.
const TOKENS: [TokenKind; 2] = [("input", |taken| taken.input), ("output", |taken| taken.output)];

/// Writes the families of usage.
pub(super) fn write(page: &mut Page, series: &[Series]) {
    page.family(
        "moho_usage_requests_total",
        Kind::Counter,
        "Requests whose prompt the engine took, by principal.",
    );
    for one in series {
        let labels = [
            ("account", one.account.as_str()),
            ("principal", one.principal.as_str()),
            ("model_name", one.model.as_str()),
        ];
        page.sample("moho_usage_requests_total", &labels, one.taken.requests);
    }
    page.family(
        "moho_usage_tokens_total",
        Kind::Counter,
        "Tokens of prompts and of answers, by principal.",
    );
    for one in series {
        for (kind, of) in TOKENS {
            let labels = [
                ("account", one.account.as_str()),
                ("principal", one.principal.as_str()),
                ("model_name", one.model.as_str()),
                ("type", kind),
            ];
            page.sample("moho_usage_tokens_total", &labels, of(&one.taken));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_principal_has_its_requests_and_tokens() {
        let mut page = Page::default();
        let taken = Taken {
            requests: 2,
            input: 30,
            cached: 10,
            output: 7,
        };
        let series = Series {
            account: "123456789012".to_owned(),
            principal: "AROAEXAMPLE".to_owned(),
            model: "m".parse().unwrap(),
            taken,
        };
        write(&mut page, &[series]);
        let text = page.finish();
        let labels = r#"account="123456789012",principal="AROAEXAMPLE",model_name="m""#;
        for line in [
            format!("moho_usage_requests_total{{{labels}}} 2"),
            format!("moho_usage_tokens_total{{{labels},type=\"input\"}} 30"),
            format!("moho_usage_tokens_total{{{labels},type=\"output\"}} 7"),
        ] {
            assert!(text.lines().any(|written| written == line), "{text}");
        }
    }
}
