//! The codec on its own: what is written is read back, and every binding of a model in this build is one it knows.

use moho_terms::{Content, ContentBytes, Timestamp};
use proptest::prelude::*;

use super::document::Document;
use super::model::{Kind, Location, ServiceModel};
use super::rest::RestService;
use super::rest_in::{self, RestRequest};
use super::rest_out;
use crate::json::{self, Writer};
use crate::query::Query;

const MODEL: &str = r#"{"metadata":{"apiVersion":"1"},"operations":{},"shapes":{
"Top":{"type":"structure","members":{"text":{"shape":"Text"},"number":{"shape":"Number","locationName":"n"},
"real":{"shape":"Real"},"flag":{"shape":"Flag"},"bytes":{"shape":"Bytes"},"when":{"shape":"When"},"since":{"shape":"Since"},
"list":{"shape":"List"},"map":{"shape":"Map"},"any":{"shape":"Any"},"one":{"shape":"One"},"inner":{"shape":"Top"}}},
"Text":{"type":"string"},"Number":{"type":"long"},"Real":{"type":"double"},"Flag":{"type":"boolean"},
"Bytes":{"type":"blob"},"When":{"type":"timestamp","timestampFormat":"iso8601"},"Since":{"type":"timestamp"},
"List":{"type":"list","member":{"shape":"Top"}},"Map":{"type":"map","key":{"shape":"Text"},"value":{"shape":"Text"}},
"Any":{"type":"structure","members":{},"document":true},
"One":{"type":"structure","union":true,"members":{"text":{"shape":"Text"},"number":{"shape":"Number"}}}}}"#;

/// A document that can be cloned, shown and compared.
#[derive(Debug, Clone, PartialEq)]
enum Plain {
    Structure(Vec<(&'static str, Self)>),
    List(Vec<Self>),
    Map(Vec<(String, String)>),
    Text(String),
    Number(i64),
    Real(f64),
    Flag(bool),
    Bytes(Vec<u8>),
    Time(u64),
    Json(String),
}

impl Plain {
    fn document(&self) -> Document {
        let words = |text: &String| Content::new(text.clone());
        match self {
            Self::Structure(members) => {
                let member = |(name, value): &(&'static str, Self)| ((*name).to_owned(), value.document());
                Document::Structure(members.iter().map(member).collect())
            }
            Self::List(items) => Document::List(items.iter().map(Self::document).collect()),
            Self::Map(pairs) => {
                let entry = |(key, value): &(String, String)| (words(key), Document::Words(words(value)));
                Document::Map(pairs.iter().map(entry).collect())
            }
            Self::Text(text) => Document::Words(words(text)),
            Self::Number(number) => Document::Integer(*number),
            Self::Real(number) => Document::Float(*number),
            Self::Flag(flag) => Document::Boolean(*flag),
            Self::Bytes(bytes) => Document::Blob(ContentBytes::new(bytes.clone())),
            Self::Time(seconds) => Document::Timestamp(Timestamp::from_unix_seconds(*seconds)),
            Self::Json(text) => Document::Json(json::parse(text.as_bytes()).unwrap()),
        }
    }

    fn of(document: &Document) -> Self {
        let shown = |words: &Content| words.expose().to_owned();
        match document {
            Document::Structure(members) => {
                let member = |(name, value): &(String, Document)| (known(name), Self::of(value));
                Self::Structure(members.iter().map(member).collect())
            }
            Document::List(items) => Self::List(items.iter().map(Self::of).collect()),
            Document::Map(entries) => {
                let entry = |(key, value): &(Content, Document)| {
                    let Document::Words(words) = value else {
                        panic!("another value")
                    };
                    (shown(key), shown(words))
                };
                Self::Map(entries.iter().map(entry).collect())
            }
            Document::Words(words) => Self::Text(shown(words)),
            Document::Integer(number) => Self::Number(*number),
            Document::Float(number) => Self::Real(*number),
            Document::Boolean(flag) => Self::Flag(*flag),
            Document::Blob(bytes) => Self::Bytes(bytes.expose().to_vec()),
            Document::Timestamp(time) => Self::Time(time.unix_seconds()),
            Document::Json(json) => {
                let mut w = Writer::new();
                w.json(json);
                Self::Json(String::from_utf8(w.finish().expose().to_vec()).unwrap())
            }
            Document::Text(_) | Document::Sensitive(_) => panic!("a body has no such text"),
        }
    }
}

/// The members, in the model's order.
const MEMBERS: [&str; 12] = [
    "text", "number", "real", "flag", "bytes", "when", "since", "list", "map", "any", "one", "inner",
];

fn known(name: &str) -> &'static str {
    MEMBERS.into_iter().find(|member| *member == name).unwrap()
}

fn member(
    name: &'static str,
    value: impl Strategy<Value = Plain>,
) -> impl Strategy<Value = Option<(&'static str, Plain)>> {
    proptest::option::of(value.prop_map(move |value| (name, value)))
}

fn one() -> impl Strategy<Value = Plain> {
    prop_oneof![
        any::<String>().prop_map(|text| ("text", Plain::Text(text))),
        any::<i64>().prop_map(|number| ("number", Plain::Number(number))),
    ]
    .prop_map(|member| Plain::Structure(vec![member]))
}

fn leaf() -> impl Strategy<Value = Vec<(&'static str, Plain)>> {
    let map = proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4);
    let json = prop_oneof![Just("null"), Just("[1.5,{\"a\":\"\u{e9}\"}]"), Just("\"x\"")];
    (
        member("text", any::<String>().prop_map(Plain::Text)),
        member("number", any::<i64>().prop_map(Plain::Number)),
        member("real", (-1e300..1e300).prop_map(Plain::Real)),
        member("flag", any::<bool>().prop_map(Plain::Flag)),
        member("bytes", any::<Vec<u8>>().prop_map(Plain::Bytes)),
        member("when", (0..253_402_300_800_u64).prop_map(Plain::Time)),
        member("since", (0..253_402_300_800_u64).prop_map(Plain::Time)),
        member("map", map.prop_map(|map| Plain::Map(map.into_iter().collect()))),
        // Null is as if the member were not there.
        member(
            "any",
            json.prop_filter("null", |json| *json != "null")
                .prop_map(|json| Plain::Json(json.to_owned())),
        ),
        member("one", one()),
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i, j)| {
            [a, b, c, d, e, f, g, h, i, j].into_iter().flatten().collect()
        })
}

fn top() -> impl Strategy<Value = Plain> {
    leaf()
        .prop_map(Plain::Structure)
        .prop_recursive(3, 12, 3, |inner| {
            let list = member(
                "list",
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Plain::List),
            );
            (leaf(), list, member("inner", inner)).prop_map(|(mut members, list, inner)| {
                members.extend(list.into_iter().chain(inner));
                members.sort_by_key(|(name, _)| MEMBERS.iter().position(|member| member == name));
                Plain::Structure(members)
            })
        })
}

fn read(model: &ServiceModel, body: &[u8]) -> Result<Document, crate::Failure> {
    let request = RestRequest {
        label: &|_| None,
        query: &Query::of_url("").unwrap(),
        headers: &|_| Vec::new(),
        body,
    };
    rest_in::read(model, "Top", &request, rest_in::Strings::OfTenants)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(plain in top()) {
        let model = ServiceModel::read(MODEL).unwrap();
        let bytes = rest_out::structure(&model, "Top", plain.document()).ok().unwrap();
        prop_assert_eq!(Plain::of(&read(&model, bytes.expose()).ok().unwrap()), plain);
    }

    #[test]
    fn what_was_read_is_written_the_same_again(body in any::<Vec<u8>>()) {
        let model = ServiceModel::read(MODEL).unwrap();
        if let Ok(document) = read(&model, &body) {
            let plain = Plain::of(&document);
            let bytes = rest_out::structure(&model, "Top", document).ok().unwrap();
            prop_assert_eq!(Plain::of(&read(&model, bytes.expose()).ok().unwrap()), plain);
        }
    }
}

#[test]
fn what_does_not_fit_the_model_is_not_written() {
    let model = ServiceModel::read(MODEL).unwrap();
    for plain in [
        Plain::Structure(vec![("text", Plain::Flag(true))]),
        Plain::Structure(vec![("one", Plain::Structure(vec![]))]),
        Plain::Structure(vec![("inner", Plain::Text(String::new()))]),
        Plain::Structure(vec![("list", Plain::List(vec![Plain::Text(String::new())]))]),
        Plain::Text(String::new()),
    ] {
        assert!(
            rest_out::structure(&model, "Top", plain.document()).is_err(),
            "{plain:?}"
        );
    }
    let unknown = Document::Structure(vec![("nothing".to_owned(), Document::Boolean(true))]);
    assert!(rest_out::structure(&model, "Top", unknown).is_err());
}

#[test]
fn every_binding_is_one_the_codec_knows() {
    for service in [
        RestService::Bedrock,
        RestService::BedrockAgent,
        RestService::BedrockRuntime,
    ] {
        let model = service.model().ok().unwrap();
        for operation in model.operations.values() {
            let input = &operation.input.as_ref().unwrap().shape;
            for (name, used) in model.shapes[input].members.iter() {
                let kind = model.shapes[&used.shape].kind;
                let known = match used.location {
                    None => true,
                    Some(Location::Uri | Location::Header) => kind == Kind::String,
                    Some(Location::Query) => {
                        let listed = model.shapes[&used.shape].member.as_ref();
                        let listed =
                            listed.is_some_and(|item| model.shapes[&item.shape].kind == Kind::String);
                        matches!(kind, Kind::String | Kind::Integer) || listed
                    }
                    Some(Location::Headers | Location::StatusCode) => false,
                };
                assert!(known, "{input} {name}");
            }
            let output = &operation.output.as_ref().unwrap().shape;
            for (name, used) in model.shapes[output].members.iter() {
                assert!(
                    matches!(used.location, None | Some(Location::Header)),
                    "{output} {name}"
                );
            }
        }
    }
}

#[test]
fn a_payload_can_be_a_structure_or_a_string() {
    let model = ServiceModel::read(
        r#"{"metadata":{"apiVersion":"1"},"operations":{},"shapes":{"Top":{"type":"structure","payload":"p",
        "members":{"p":{"shape":"P"}}},"P":{"type":"structure","members":{"a":{"shape":"T"}}},"T":{"type":"string"}}}"#,
    );
    let model = model.unwrap();
    let Ok(Document::Structure(members)) = read(&model, br#"{"a":"b"}"#) else {
        panic!("refused")
    };
    assert!(matches!(&members[..], [(name, Document::Structure(inner))] if name == "p" && inner.len() == 1));
    assert!(matches!(read(&model, b""), Ok(Document::Structure(members)) if members.is_empty()));
    assert!(read(&model, b"[]").is_err());
}
