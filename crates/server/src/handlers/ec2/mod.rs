//! Private endpoints, as EC2's operations show and change them.

mod create;
mod describe;
mod filters;
mod modify;
mod services;

use moho_terms::{EndpointId, VpcId};
use moho_wire::Failure;

pub(crate) use create::{Creating, create};
pub(crate) use describe::describe;
pub(crate) use modify::{delete, ids, modify};
pub(crate) use services::describe_services;

/// EC2's error, which the caller can mend.
fn wrong(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::Service {
        code,
        message: message.into(),
        status: 400,
    }
}

/// What a request gets that only asked whether it may.
fn unless_dry(dry_run: Option<bool>) -> Result<(), Failure> {
    match dry_run {
        Some(true) => Err(Failure::Service {
            code: "DryRunOperation",
            message: "Request would have succeeded, but DryRun flag is set.".to_owned(),
            status: 412,
        }),
        Some(false) | None => Ok(()),
    }
}

fn endpoint_id(text: &str) -> Result<EndpointId, Failure> {
    text.parse().map_err(|_malformed| {
        let said = format!("Invalid Id: \"{}\" (expecting \"vpce-...\")", shown(text));
        wrong("InvalidVpcEndpointId.Malformed", said)
    })
}

fn vpc_id(text: &str) -> Result<VpcId, Failure> {
    text.parse().map_err(|_malformed| {
        let said = format!("Invalid Id: \"{}\" (expecting \"vpc-...\")", shown(text));
        wrong("InvalidVpcId.Malformed", said)
    })
}

fn no_endpoint(id: &EndpointId) -> Failure {
    wrong(
        "InvalidVpcEndpointId.NotFound",
        format!("The Vpc Endpoint Id '{id}' does not exist"),
    )
}

fn no_service(name: &str) -> Failure {
    wrong(
        "InvalidServiceName",
        format!("The Vpc Endpoint Service '{}' does not exist", shown(name)),
    )
}

/// What was asked for, as it is repeated: its beginning.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Work that waits for the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Failure::Internal))
}

/// One page of a list: at most as many as asked for, beginning after what the last page ended with, and what the next one
/// begins after.
fn page<T>(
    all: Vec<T>,
    name: impl Fn(&T) -> &str,
    (most, after): (Option<i64>, Option<&str>),
) -> Result<(Vec<T>, Option<String>), Failure> {
    /// The most of any page.
    const MOST: usize = 1000;
    let most = match most.map(usize::try_from) {
        None => MOST,
        Some(Ok(most)) if most > 0 => most.min(MOST),
        Some(_) => {
            return Err(wrong(
                "InvalidParameterValue",
                "Value for parameter MaxResults is invalid. It has to be a number from 1.",
            ));
        }
    };
    let after = after.map(opened).transpose()?;
    let mut rest: Vec<T> = all
        .into_iter()
        .filter(|one| after.as_deref().is_none_or(|after| name(one) > after))
        .collect();
    let more = rest.len() > most;
    rest.truncate(most);
    let next = rest.last().filter(|_| more).map(|last| closed(name(last)));
    Ok((rest, next))
}

/// What a next page is asked for with. It says where a list of the caller's own goes on, and nothing else.
fn closed(name: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(name)
}

fn opened(token: &str) -> Result<String, Failure> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token);
    let name = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| wrong("InvalidNextToken", "The specified NextToken is not valid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let all = ["a", "b", "c", "d", "e"];
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let asked = (Some(2), token.as_deref());
            let (part, next) = page(all.to_vec(), |name| name, asked).ok().unwrap();
            seen.extend(part);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
        let (whole, none) = page(all.to_vec(), |name| name, (Some(5), None)).ok().unwrap();
        assert!(whole.len() == 5 && none.is_none());
        for (most, after) in [(Some(0), None), (Some(-1), None), (None, Some("%"))] {
            assert!(page(all.to_vec(), |name| name, (most, after)).is_err());
        }
    }
}
