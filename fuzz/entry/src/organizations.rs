//! Requests of the JSON services, and the policies of an organisation that they bring.

use moho_iam::organisation::{
    check_management, check_resource_control, effective, lets_in_long_lived_credentials,
};
use moho_wire::RequestHead;

/// What says that a request is signed for KMS.
const FOR_KMS: &str = "AWS4-HMAC-SHA256 Credential=ASIA/20261122/moho-local-1/kms/aws4_request, SignedHeaders=host, Signature=0";

/// What says that a request is signed for CloudTrail.
const FOR_CLOUDTRAIL: &str = "AWS4-HMAC-SHA256 Credential=ASIA/20261122/moho-local-1/cloudtrail/aws4_request, SignedHeaders=host, Signature=0";
/// What CloudTrail's operations are named behind.
const CLOUDTRAIL: &[u8] = b"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.";

/// The first line as an operation, the rest as its body; and as a policy of the organisation.
pub fn organizations(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == b'\n');
    let operation = halves.next().unwrap_or_default();
    let body = halves.next().unwrap_or_default();
    asked(&[b"AWSOrganizationsV20161128.", operation].concat(), None, body);
    asked(&[b"TrentService.", operation].concat(), Some(FOR_KMS), body);
    asked(&[CLOUDTRAIL, operation].concat(), Some(FOR_CLOUDTRAIL), body);
    policies(&super::text(body));
}

/// The body as a request of the service that it is signed for, by default of the first.
fn asked(target: &[u8], authorization: Option<&str>, body: &[u8]) {
    let found = moho_wire::route(&RequestHead {
        method: "POST",
        raw_path: "/",
        raw_query: "",
        content_type: Some("application/x-amz-json-1.1"),
        authorization,
        host: "localhost",
        of_aws: false,
    });
    let Ok(route) = found else {
        assert!(body.is_empty() && target.is_empty(), "it is a route");
        return;
    };
    let header = |name: &str| match name {
        "x-amz-target" => vec![target],
        _ => Vec::new(),
    };
    if let Err(failure) = route.command(&header, body) {
        super::json::is_well_formed(&failure, route.error_shape());
    }
}

/// What is no management policy is refused; what is one comes to JSON that says the same when it is inherited again.
fn policies(text: &str) {
    let _rules = check_resource_control(text);
    let let_in = lets_in_long_lived_credentials(text);
    assert!(!let_in || text.to_ascii_lowercase().contains("iam:createaccesskey") || text.contains('\\'));
    for top in ["tags", "services"] {
        if check_management(top, text).is_err() {
            continue;
        }
        let once = effective(&[vec![text]]);
        let assigned = effective(&[vec![text], vec!["{}"], vec![]]);
        assert_eq!(once, assigned, "levels that say nothing change nothing");
        if let Some(once) = once {
            assert!(moho_wire::hostile_input::json_again(once.as_bytes()).is_some());
            assert!(
                !once.contains("@@assign\":"),
                "no operator is left where one sets a value"
            );
        }
    }
}
