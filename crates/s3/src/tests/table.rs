//! What is served: every operation with the actions that it asks for.

use super::*;
use crate::service::SERVED;

/// Operations as s3s calls them, and every action that each may ask for.
const ASKED: &str = include_str!("../../testdata/actions.txt");

#[test]
fn every_operation_has_its_actions_and_every_action_an_operation() {
    let rows: Vec<(&str, Vec<&str>)> = ASKED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.collect())
        })
        .collect();
    for served in SERVED {
        assert!(
            rows.iter().any(|(name, _)| name == served),
            "`{served}` has no row"
        );
    }
    for (name, actions) in &rows {
        assert!(SERVED.contains(name), "`{name}` is not served");
        assert!(!actions.is_empty(), "`{name}` asks for nothing");
        for action in actions {
            assert!(
                moho_iam::action::ALL.contains(action),
                "`{action}` of `{name}` is none"
            );
        }
    }
    for action in moho_iam::action::ALL
        .iter()
        .filter(|action| action.starts_with("s3:"))
    {
        let asked = rows.iter().any(|(_, actions)| actions.contains(action));
        assert!(asked, "nothing asks for `{action}`");
    }
}

/// Who may do nothing gets nothing, whatever it asks for.
#[tokio::test]
async fn nothing_is_done_without_leave() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let upload = house
        .done("POST", "/my-bucket/u?uploads", &[], b"")
        .await
        .element("UploadId");
    let developer = house.session("Developer");
    for line in include_str!("../../testdata/requests.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let line = line.replace("UPLOAD", &upload);
        let mut parts = line.splitn(4, ' ');
        let (method, path) = (parts.next().unwrap(), parts.next().unwrap());
        let header = parts.next().and_then(|header| header.split_once(':'));
        let headers: Vec<(&str, &str)> = header.into_iter().collect();
        let body = parts.next().unwrap_or_default();
        let before = house.world.decisions.load(Ordering::Relaxed);
        let refused = house
            .ask_as(&developer, request(method, path, &headers, body.as_bytes()))
            .await;
        let multi = path.ends_with("?delete");
        assert_eq!(
            refused.status.as_u16(),
            if multi { 200 } else { 403 },
            "{line} {}",
            refused.text()
        );
        if method != "HEAD" {
            assert_eq!(refused.code(), "AccessDenied", "{line}");
        }
        assert!(
            house.world.decisions.load(Ordering::Relaxed) > before,
            "{line} was not decided"
        );
    }
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"x");
}
