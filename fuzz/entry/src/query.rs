//! AWS query forms, in a body and in a query string.

use moho_wire::RequestHead;

/// The bytes as a form, for each service that takes one. No form is read a second time behind itself.
pub fn query_forms(data: &[u8]) {
    let text = super::text(data);
    for service in ["sts", "iam", "ec2"] {
        let credential =
            format!("X-Amz-Credential=ASIA%2F20261122%2Fmoho-local-1%2F{service}%2Faws4_request");
        form(&credential, data);
        form(&format!("{credential}&{text}"), b"");
    }
}

fn form(raw_query: &str, body: &[u8]) {
    let found = moho_wire::route(&RequestHead {
        method: "POST",
        raw_path: "/",
        raw_query,
        content_type: Some("application/x-www-form-urlencoded"),
        authorization: None,
        host: "localhost",
        of_aws: false,
    });
    let shape = match &found {
        Ok(route) => route.error_shape(),
        Err(refused) => refused.shape,
    };
    let outcome = match found {
        Ok(route) => {
            let outcome = route.command(&|_| Vec::new(), body).map(drop);
            let again = [body, b"&", body].concat();
            assert!(outcome.is_err() || body.is_empty() || route.command(&|_| Vec::new(), &again).is_err());
            outcome
        }
        Err(refused) => Err(refused.failure),
    };
    if let Err(failure) = outcome {
        super::json::is_well_formed(&failure, shape);
    }
}
