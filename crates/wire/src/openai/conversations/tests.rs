//! Conversations as SDKs ask for them, and as they are kept.

use moho_terms::{Content, ContentBytes};

use super::*;
use crate::openai::{Role, Turn};
use crate::{Command, Failure, RequestHead, route};

const ID: &str = "conv_0123456789abcdef0123456789abcdef0123456789abcdef";
const ITEM: &str = "msg_0123456789abcdef0123456789abcdef0123456789abcdef";

fn ask(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Request, Failure> {
    let (raw_path, raw_query) = path.split_once('?').unwrap_or((path, ""));
    let route = route(&RequestHead {
        method,
        raw_path,
        raw_query,
        content_type: None,
        authorization: None,
        host: "localhost",
        of_aws: false,
    });
    let header = |name: &str| {
        let named = headers.iter().filter(|(header, _)| *header == name);
        named.map(|(_, value)| value.as_bytes()).collect()
    };
    let command = route
        .map_err(|refused| refused.failure)?
        .command(&header, body.as_bytes())?;
    let Command::Conversations(request) = command else {
        panic!("another command")
    };
    Ok(*request)
}

fn text(bytes: &ContentBytes) -> String {
    String::from_utf8(bytes.expose().to_vec()).unwrap()
}

#[test]
fn a_conversation_begins_with_metadata_items_and_a_key() {
    let Ok(Request::Create(create)) = ask("POST", "/v1/conversations", &[], "") else {
        panic!("refused")
    };
    assert_eq!(
        (
            text(create.metadata.json()).as_str(),
            create.items.len(),
            create.key
        ),
        ("{}", 0, None)
    );
    let headers = [(KEY_HEADER, "alias/own"), (DAYS_HEADER, "7")];
    let body = r#"{"metadata":{"a":"b"},"items":[{"role":"user","content":"hi"},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"ho"}]}]}"#;
    let Ok(Request::Create(create)) = ask("POST", "/openai/v1/conversations", &headers, body) else {
        panic!("refused")
    };
    assert_eq!(text(create.metadata.json()), r#"{"a":"b"}"#);
    assert_eq!((create.key.as_deref(), create.days), (Some("alias/own"), Some(7)));
    let roles: Vec<_> = create.items.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant]);
    let many = vec![r#"{"role":"user","content":"hi"}"#; 21].join(",");
    for (headers, body, param) in [
        (&[][..], format!(r#"{{"items":[{many}]}}"#), "items"),
        (&[], r#"{"items":{}}"#.to_owned(), "items"),
        (
            &[],
            r#"{"items":[{"type":"function_call"}]}"#.to_owned(),
            "items[0].type",
        ),
        (&[], r#"{"metadata":{"a":1}}"#.to_owned(), "metadata"),
        (&[(DAYS_HEADER, "0")], String::new(), DAYS_HEADER),
        (&[(KEY_HEADER, "a b")], String::new(), KEY_HEADER),
        (&[(KEY_HEADER, "a"), (KEY_HEADER, "b")], String::new(), KEY_HEADER),
    ] {
        let refused = ask("POST", "/v1/conversations", headers, &body).err();
        assert!(
            matches!(&refused, Some(Failure::Invalid { param: Some(of), .. }) if of == param),
            "{refused:?}"
        );
    }
}

#[test]
fn every_path_has_its_operation() {
    let item = format!("/v1/conversations/{ID}/items/{ITEM}");
    let one = format!("/v1/conversations/{ID}");
    let items = format!("{one}/items");
    assert!(matches!(ask("GET", &one, &[], ""), Ok(Request::Get(id)) if id.as_str() == ID));
    assert!(matches!(
        ask("POST", &one, &[], r#"{"metadata":{}}"#),
        Ok(Request::Update(..))
    ));
    assert!(matches!(ask("DELETE", &one, &[], ""), Ok(Request::Delete(_))));
    assert!(matches!(ask("GET", &item, &[], ""), Ok(Request::GetItem(_, of)) if of.as_str() == ITEM));
    assert!(matches!(
        ask("DELETE", &item, &[], ""),
        Ok(Request::DeleteItem(..))
    ));
    let listed = format!("{items}?limit=5&order=asc&after={ITEM}&include[]=message.output_text.logprobs");
    let Ok(Request::ListItems(list)) = ask("GET", &listed, &[], "") else {
        panic!("refused")
    };
    assert_eq!(
        (list.limit, list.ascending, list.after.unwrap().as_str()),
        (5, true, ITEM)
    );
    let added = r#"{"items":[{"role":"user","content":"hi"}]}"#;
    assert!(
        matches!(ask("POST", &items, &[], added), Ok(Request::CreateItems(create)) if create.items.len() == 1)
    );
    assert!(matches!(
        ask("DELETE", "/v1/content", &[], ""),
        Ok(Request::Erase)
    ));
    assert!(matches!(
        ask("POST", "/v1/data_retention", &[], r#"{"days":5}"#),
        Ok(Request::PutRetention(5))
    ));
    for (method, path, body) in [
        ("GET", "/v1/conversations/conv_1", ""),
        ("GET", "/v1/conversations", ""),
        ("PUT", one.as_str(), ""),
        ("POST", one.as_str(), "{}"),
        ("POST", items.as_str(), "{}"),
        ("GET", &format!("{items}?limit=0"), ""),
        ("GET", &format!("{items}?include=secrets"), ""),
        ("POST", "/v1/data_retention", r#"{"days":0}"#),
    ] {
        assert!(ask(method, path, &[], body).is_err(), "{method} {path}");
    }
}

#[test]
fn an_item_stands_in_its_own_place_only() {
    let item = ConversationItem {
        id: ITEM.parse().unwrap(),
        complete: true,
        turn: Turn::of(Role::User, Content::new("hi \u{1f44b} \"you\"".to_owned())),
    };
    let kept = item.encode(3);
    let again = ConversationItem::decode(&kept, item.id.clone(), 3).unwrap();
    assert_eq!(text(&item_object(&again)), text(&item_object(&item)));
    assert!(ConversationItem::decode(&kept, item.id, 4).is_err());
    let other = ITEM.replace("msg_0", "msg_1").parse().unwrap();
    assert!(ConversationItem::decode(&kept, other, 3).is_err());
    let list = text(&item_list(&[again], true));
    assert!(
        list.starts_with(r#"{"object":"list","data":[{"id":"msg_0123"#),
        "{list}"
    );
    assert!(
        list.ends_with(&format!(
            r#""first_id":"{ITEM}","last_id":"{ITEM}","has_more":true}}"#
        )),
        "{list}"
    );
    assert!(text(&item_list(&[], false)).contains(r#""first_id":"","last_id":"""#));
}
