//! What is said of a place that does not do what it is asked: whose fault it is, and the name of the error, nothing else that it
//! said.

use std::error::Error;

use moho_store::PlaceProblem;
use object_store::client::{HttpError, HttpErrorKind};

use super::credentials::CredentialsProblem;

/// Errors by which a service says that the credentials, or what they may do, are to blame.
const REFUSALS: [&str; 9] = [
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

/// What is wrong.
pub(super) fn problem(error: &object_store::Error) -> PlaceProblem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(problem) = one.downcast_ref::<CredentialsProblem>() {
            return PlaceProblem::Credentials(problem.0);
        }
        if let Some(http) = one.downcast_ref::<HttpError>() {
            return match http.kind() {
                HttpErrorKind::Timeout => PlaceProblem::Slow,
                HttpErrorKind::Connect | HttpErrorKind::Request | HttpErrorKind::Interrupted => {
                    PlaceProblem::Unreachable
                }
                HttpErrorKind::Decode | HttpErrorKind::Unknown | _ => PlaceProblem::Nonsense,
            };
        }
        cause = one.source();
    }
    let code = code(error);
    let is_refusal = matches!(
        error,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    );
    if is_refusal || REFUSALS.contains(&code.as_str()) {
        PlaceProblem::Refused(code)
    } else if code.is_empty() {
        PlaceProblem::Nonsense
    } else {
        PlaceProblem::Failed(code)
    }
}

/// The name of the error that a service answered, or its status; empty if it gave none.
pub(super) fn code(error: &object_store::Error) -> String {
    // The library keeps what was answered to itself, but for what it tells people.
    let mut told = String::new();
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        told.push_str(&one.to_string());
        told.push('\n');
        cause = one.source();
    }
    let between = |before: &str, after: char, fits: fn(&u8) -> bool| {
        let rest = told.split_once(before)?.1;
        let word = rest.split(after).next()?;
        let is_word = (1..=64).contains(&word.len()) && word.bytes().all(|byte| fits(&byte));
        is_word.then(|| word.to_owned())
    };
    between("<Code>", '<', u8::is_ascii_alphanumeric)
        .or_else(|| {
            let status = between("status code: ", ' ', u8::is_ascii_digit)?;
            Some(format!("HTTP {status}"))
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> PlaceProblem {
        problem(&object_store::Error::Generic {
            store: "S3",
            source: text.into(),
        })
    }

    #[test]
    fn nothing_is_told_but_a_name() {
        let status = "Server returned non-2xx status code: 503 Service Unavailable: ";
        let failed = |name: &str| PlaceProblem::Failed(name.to_owned());
        assert_eq!(
            told(&format!("{status}<Error><Code>SlowDown</Code>")),
            failed("SlowDown")
        );
        assert_eq!(told(status), failed("HTTP 503"));
        assert_eq!(
            told(&format!("{status}<Code>a secret, perhaps</Code>")),
            failed("HTTP 503")
        );
        assert_eq!(
            told(&format!("{status}<Code>{}</Code>", "A".repeat(65))),
            failed("HTTP 503")
        );
        assert_eq!(
            told(&format!("{status}<Code>ExpiredToken</Code>")),
            PlaceProblem::Refused("ExpiredToken".to_owned())
        );
        assert_eq!(told("no XML"), PlaceProblem::Nonsense);
    }
}
