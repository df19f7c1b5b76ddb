//! A client's bytes after TLS: what reaches the road names one host and keeps to the bounds.

use moho_server::net::hostile_input::{Reached, serve};
use moho_server::net::{Head, RimError};
use moho_wire::RequestHead;

/// The bytes as all that a client sends: over HTTP/2 if they begin as it does, else over HTTP/1.1.
pub fn http_head(data: &[u8]) {
    let version_2 = data.starts_with(b"PRI * HTTP/2.0\r\n");
    let Ok(served) = serve(data, version_2) else {
        return;
    };
    if !version_2 {
        let replies = served.replies.as_slice();
        assert!(
            replies.is_empty() || replies.starts_with(b"HTTP/1."),
            "a reply or none"
        );
    }
    for (head, reached) in &served.heads {
        match reached {
            Reached::Handled(body) => assert!(*body <= 4 << 10, "a body within its bound"),
            Reached::Refused(RimError::NoSingleHost) => {}
            Reached::Refused(error) => assert!(!error.status().is_success()),
        }
        if *reached != Reached::Refused(RimError::NoSingleHost) {
            names_one_host(head);
        }
        is_routed(head);
    }
}

fn names_one_host(head: &Head) {
    let authority = &head.authority;
    assert!(!authority.is_empty() && authority.bytes().all(|b| b.is_ascii_graphic() && b != b'@'));
    let mut hosts = head.headers.get_all("host").iter();
    assert_eq!(
        hosts.next().map(|host| host.as_bytes()),
        Some(authority.as_bytes())
    );
    assert!(hosts.next().is_none(), "one host");
}

fn is_routed(head: &Head) {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let found = moho_wire::route(&RequestHead {
        method: head.method.as_str(),
        raw_path: &head.raw_path,
        raw_query: &head.raw_query,
        content_type: header("content-type"),
        authorization: header("authorization"),
        host: &head.authority,
        of_aws: head
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("x-amz-")),
    });
    let shape = match &found {
        Ok(route) => route.error_shape(),
        Err(refused) => refused.shape,
    };
    if let Err(refused) = &found {
        super::json::is_well_formed(&refused.failure, shape);
    }
    let headers: Vec<(&str, &str)> = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    super::credentials::refused(&moho_iam::authn::HttpHead {
        method: head.method.as_str(),
        raw_path: &head.raw_path,
        raw_query: &head.raw_query,
        authority: &head.authority,
        headers: &headers,
        body_sha256: &[0; 32],
    });
}
