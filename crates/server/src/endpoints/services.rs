//! The services that a private endpoint can lead to, by AWS's names.

use moho_terms::Region;
use moho_wire::Route;

/// What an endpoint of the settings leads to: everything that moho serves.
pub(crate) const EVERYTHING: &str = "moho";

/// What an endpoint can be made for.
pub(crate) const SERVICES: [&str; 7] = [
    "bedrock",
    "bedrock-mantle",
    "bedrock-runtime",
    "ec2",
    "iam",
    "organizations",
    "sts",
];

/// A service's whole name, such as `com.amazonaws.us-east-1.bedrock-runtime`.
pub(crate) fn service_name(region: &Region, service: &str) -> String {
    format!("com.amazonaws.{region}.{service}")
}

/// The service that a request is for.
pub(crate) fn of_request(raw_path: &str, route: &Route) -> &'static str {
    let signed = route.signing_names().first().copied().unwrap_or_default();
    // Bedrock signs both of its services with one name.
    let runtime = signed == "bedrock"
        && ["/model/", "/openai/"]
            .iter()
            .any(|path| raw_path.starts_with(path));
    let service = if runtime { "bedrock-runtime" } else { signed };
    let known = SERVICES.iter().find(|known| **known == service);
    known.copied().unwrap_or(EVERYTHING)
}
