//! Paths, methods and the protocol of a refusal.

use proptest::prelude::*;

use super::*;
use crate::json::Json;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=ASIAABCDEFGHIJKLMNOP/20261122/moho-local-1/sts/aws4_request, \
    SignedHeaders=host;x-amz-date, Signature=00";
const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");
const ID: &str = "resp_0123456789abcdef0123456789abcdef0123456789abcdef";

fn at<'a>(method: &'a str, raw_path: &'a str) -> RequestHead<'a> {
    RequestHead {
        method,
        raw_path,
        raw_query: "",
        content_type: None,
        authorization: None,
        host: "localhost",
        of_aws: false,
    }
}

#[test]
fn every_route_is_found_under_both_prefixes() {
    let id: ResponseId = ID.parse().unwrap();
    let model: moho_terms::ModelId = "smollm2-135m-instruct".parse().unwrap();
    for (prefix, root) in [(Prefix::Mantle, "/v1"), (Prefix::Runtime, "/openai/v1")] {
        for (method, path, target) in [
            ("POST", "/responses".to_owned(), Target::CreateResponse(prefix)),
            ("POST", "/responses/".to_owned(), Target::CreateResponse(prefix)),
            (
                "GET",
                format!("/responses/{ID}"),
                Target::GetResponse(prefix, id.clone()),
            ),
            (
                "DELETE",
                format!("/responses/{ID}"),
                Target::DeleteResponse(prefix, id.clone()),
            ),
            (
                "GET",
                format!("/responses/{ID}/input_items"),
                Target::ListInputItems(prefix, id.clone()),
            ),
            ("POST", "/chat/completions".to_owned(), Target::CreateChat(prefix)),
            ("GET", "/models".to_owned(), Target::ListModels(prefix)),
            (
                "GET",
                "/models/smollm2%2D135m-instruct".to_owned(),
                Target::GetModel(prefix, ModelIdentifier::Id(model.clone())),
            ),
        ] {
            let found = route(&at(method, &format!("{root}{path}"))).ok().unwrap();
            assert_eq!(found.target(), &target);
            assert_eq!(found.error_shape(), ErrorShape::OpenAi);
            let names = match prefix {
                Prefix::Mantle => ["bedrock-mantle", "bedrock"],
                Prefix::Runtime => ["bedrock", "bedrock-mantle"],
            };
            assert_eq!(found.signing_names(), names, "{method} {root}{path}");
        }
    }
}

#[test]
fn refusals_speak_the_protocol_of_the_client() {
    let refused = |head: &RequestHead<'_>| {
        let refused = route(head).err().unwrap();
        (refused.failure, refused.shape)
    };
    let openai = |failure| (failure, ErrorShape::OpenAi);
    assert_eq!(refused(&at("GET", "/v1/nothing")), openai(Failure::NoSuchPath));
    assert_eq!(
        refused(&at("GET", "/v1/responses")),
        openai(Failure::MethodNotAllowed("POST"))
    );
    assert_eq!(
        refused(&at("PUT", &format!("/v1/responses/{ID}"))),
        openai(Failure::MethodNotAllowed("GET, DELETE"))
    );
    assert_eq!(
        refused(&at("GET", "/v1/responses/resp_1")),
        openai(Failure::ResponseNotFound(None))
    );
    assert_eq!(
        refused(&at("GET", "/v1/models/%ff")),
        openai(Failure::ModelNotFound(None))
    );
    assert_eq!(
        refused(&at("GET", "/v1/models/a%2Fb")),
        openai(Failure::ModelNotFound(None))
    );
    assert_eq!(refused(&at("GET", "/v1%2Fmodels")), openai(Failure::NoSuchPath));
    assert_eq!(refused(&at("GET", "/")), openai(Failure::NoSuchPath));
    for path in ["v1/models", "model/m/converse", "", "*"] {
        assert_eq!(refused(&at("GET", path)), openai(Failure::NoSuchPath), "{path}");
    }
    let bedrock = RequestHead {
        authorization: Some(SIGNED),
        ..at("POST", "/model/x/converse-later")
    };
    assert_eq!(refused(&bedrock), (Failure::NoSuchPath, ErrorShape::RestJson));
}

#[test]
fn json_services_are_found_by_the_signature_and_the_content_type() {
    let signed = |name: &str| {
        format!("AWS4-HMAC-SHA256 Credential=AKIA/20150830/us-east-1/{name}/aws4_request, Signature=x")
    };
    let ask = |method: &'static str, kind: &'static str, name: Option<&str>| {
        let authorization = name.map(signed);
        let found = route(&RequestHead {
            content_type: Some(kind),
            authorization: authorization.as_deref(),
            ..at(method, "/")
        });
        found.map(|found| {
            assert_eq!(found.error_shape(), ErrorShape::AwsJson);
            assert_eq!(found.signing_names(), ["organizations"]);
            found.target().clone()
        })
    };
    let kind = "application/x-amz-json-1.1";
    let organizations = Target::Json(JsonService::Organizations);
    assert_eq!(
        ask("POST", kind, Some("organizations")).ok(),
        Some(organizations.clone())
    );
    assert_eq!(
        ask(
            "POST",
            "application/x-amz-json-1.1; charset=utf-8",
            Some("organizations")
        )
        .ok(),
        Some(organizations.clone())
    );
    assert_eq!(
        ask("POST", kind, None).ok(),
        Some(organizations),
        "who is not signed is told so"
    );
    for (method, kind, name) in [
        ("GET", kind, Some("organizations")),
        ("POST", kind, Some("shield")),
        ("POST", kind, Some("sts")),
        ("POST", "application/x-amz-json-1.0", Some("organizations")),
        ("POST", "application/x-amz-json-1.10", None),
    ] {
        let refused = ask(method, kind, name).err().unwrap();
        assert_eq!(refused.shape, ErrorShape::AwsJson, "{method} {kind} {name:?}");
    }
}

#[test]
fn every_operation_of_bedrock_has_the_path_of_the_service_model() {
    let models = [
        include_bytes!("../../models/bedrock.json").as_slice(),
        include_bytes!("../../models/bedrock-runtime.json"),
    ];
    let mut found = Vec::new();
    for model in models {
        let model = crate::json::parse(model).unwrap();
        let Some(Json::Object(operations)) = model.get("operations") else {
            panic!("no operations")
        };
        for (name, operation) in operations {
            let part = |part: &str| match operation.get("http").unwrap().get(part) {
                Some(Json::String(text)) => text.expose().to_owned(),
                _ => panic!("no {part}"),
            };
            let label = "arn%3Aaws%3Abedrock%3Ar%3A%3Afoundation-model%2Fm";
            let path = part("requestUri")
                .replace("{modelId}", label)
                .replace("{modelIdentifier}", label)
                .replace("{inferenceProfileIdentifier}", label);
            let route = route(&at(&part("method"), &path)).ok().unwrap();
            let Target::Bedrock(operation) = route.target() else {
                panic!("another API")
            };
            assert_eq!(operation.name(), name.expose());
            assert_eq!(
                (route.error_shape(), route.signing_names()),
                (ErrorShape::RestJson, &["bedrock"][..])
            );
            assert_eq!(route.target().prefix(), None);
            assert_eq!(route.body_limit() == INFERENCE_LIMIT, path.starts_with("/model/"));
            found.push(*operation);
        }
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 25);
}

#[test]
fn forms_go_to_the_service_they_are_signed_for() {
    let query = |authorization| {
        let head = RequestHead {
            authorization,
            content_type: FORM,
            ..at("POST", "/")
        };
        route(&head)
            .map(|route| (route.target().clone(), route.signing_names()))
            .map_err(|refused| refused.failure.code(refused.shape))
    };
    assert_eq!(
        query(Some(SIGNED)),
        Ok((Target::Query(QueryService::Sts), &["sts"][..]))
    );
    let iam = SIGNED.replace("/sts/", "/iam/");
    assert_eq!(
        query(Some(&iam)),
        Ok((Target::Query(QueryService::Iam), &["iam"][..]))
    );
    assert_eq!(
        query(None).map(|(target, _)| target),
        Ok(Target::Query(QueryService::Sts))
    );
    let other = SIGNED.replace("/sts/", "/elasticbeanstalk/");
    assert_eq!(query(Some(&other)), Err("InvalidAction"));
}

#[test]
fn a_presigned_url_goes_to_the_service_in_its_query() {
    let at = |method: &str, raw_path: &str, raw_query: &str| {
        let found = route(&RequestHead {
            raw_query,
            ..at(method, raw_path)
        });
        found.map(|route| route.target().clone()).map_err(|refused| {
            (
                refused.failure.code(refused.shape),
                refused.shape == ErrorShape::OpenAi,
            )
        })
    };
    let scoped = "Action=X&X-Amz-Credential=ASIA%2F20261122%2Fr%2Fiam%2Faws4_request";
    for method in ["GET", "POST"] {
        assert_eq!(at(method, "/", scoped), Ok(Target::Query(QueryService::Iam)));
        let encoded = scoped.replace("X-Amz", "X%2DAmz");
        assert_eq!(at(method, "/", &encoded), Ok(Target::Query(QueryService::Iam)));
        let unsigned = "Version=1&Action=GetCallerIdentity";
        assert_eq!(at(method, "/", unsigned), Ok(Target::Query(QueryService::Sts)));
    }
    assert_eq!(
        at("DELETE", "/", scoped),
        Err(("UnknownOperationException", false))
    );
    assert_eq!(at("GET", "/", "Version=1"), Err(("unknown_url", true)));
    assert_eq!(
        at("GET", "/nothing", scoped),
        Err(("UnknownOperationException", false))
    );
    let other = scoped.replace("iam", "elasticbeanstalk");
    assert_eq!(at("GET", "/", &other), Err(("InvalidAction", false)));
}

#[test]
fn who_signs_for_another_service_is_told_which_one_is_not_served() {
    let refused = |name: &str, content_type| {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=ASIA/20261122/r/{name}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let head = RequestHead {
            content_type: Some(content_type),
            authorization: Some(&authorization),
            ..at("POST", "/")
        };
        route(&head).map(|_| ()).map_err(|refused| refused.failure)
    };
    let unknown = |name: &str| Err(Failure::UnknownService(name.to_owned()));
    let (form, json) = ("application/x-www-form-urlencoded", "application/x-amz-json-1.1");
    assert_eq!(refused("sqs", form), unknown("sqs"));
    assert_eq!(refused("sns", json), unknown("sns"));
    assert_eq!(refused("logs", json), Ok(()));
    assert_eq!(refused("kms", json), Ok(()));
    assert_eq!(refused("<b>", json), unknown("(not a name)"));
    assert_eq!(refused("organizations", json), Ok(()));
    assert_eq!(
        refused("organizations", "application/x-amz-json-1.0"),
        unknown("organizations (in this content type)")
    );
}

#[test]
fn the_scope_is_read_from_the_header() {
    assert_eq!(signing_name(SIGNED), Some("sts"));
    for text in [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/sts/other",
        "AWS4-HMAC-SHA256 Signature=0",
    ] {
        assert_eq!(signing_name(text), None, "{text}");
    }
}

#[test]
fn queries_of_stored_responses_are_read() {
    let command = |query| {
        let path = format!("/v1/responses/{ID}/input_items");
        route(&RequestHead {
            raw_query: query,
            ..at("GET", &path)
        })
        .ok()
        .unwrap()
        .command(&|_| Vec::new(), b"")
    };
    let Ok(Command::ListInputItems(page)) = command("limit=2&order=asc&after=msg_1") else {
        panic!("another command")
    };
    assert_eq!(
        (page.limit, page.ascending, page.after.as_deref()),
        (2, true, Some("msg_1"))
    );
    assert!(command("limit=0").is_err() && command("limit=101").is_err() && command("order=up").is_err());
    let path = format!("/v1/responses/{ID}");
    let get = |query| {
        route(&RequestHead {
            raw_query: query,
            ..at("GET", &path)
        })
        .ok()
        .unwrap()
        .command(&|_| Vec::new(), b"")
        .is_ok()
    };
    assert!(get("include=x") && !get("stream=true"));
}

/// A header that asks for a guardrail, its value, and how it is named.
const GUARDRAIL_HEADERS: [(&str, &str, &str); 4] = [
    (
        "x-amzn-bedrock-guardrailidentifier",
        "gr-1",
        "X-Amzn-Bedrock-GuardrailIdentifier",
    ),
    (
        "x-amzn-bedrock-guardrailidentifier",
        "é",
        "X-Amzn-Bedrock-GuardrailIdentifier",
    ),
    (
        "x-amzn-bedrock-guardrailversion",
        "DRAFT",
        "X-Amzn-Bedrock-GuardrailVersion",
    ),
    ("x-amzn-bedrock-trace", "ENABLED", "X-Amzn-Bedrock-Trace"),
];

#[test]
fn a_guardrail_is_refused_by_name_and_never_skipped() {
    let bodies = [
        (
            "chat/completions",
            r#"{"model":"m","messages":[{"role":"user","content":"x"}]"#,
        ),
        ("responses", r#"{"model":"m","input":"x""#),
    ];
    for ((api, body), root) in bodies
        .iter()
        .flat_map(|body| [(body, "/v1"), (body, "/openai/v1")])
    {
        let path = format!("{root}/{api}");
        let ask = |headers: &[(&str, &'static str)], more: &str| {
            let route = route(&at("POST", &path)).ok().unwrap();
            let header = |name: &str| {
                let found = headers.iter().filter(|(header, _)| *header == name);
                found.map(|(_, value)| value.as_bytes()).collect()
            };
            match route.command(&header, format!("{body}{more}}}").as_bytes()) {
                Ok(_) => None,
                Err(Failure::Invalid { message, param, .. }) if message.contains("guardrail") => param,
                Err(other) => panic!("{other:?}"),
            }
        };
        for (header, value, named) in GUARDRAIL_HEADERS {
            assert_eq!(ask(&[(header, value)], "").as_deref(), Some(named), "{path}");
        }
        for (more, named) in [
            (
                r#","amazon-bedrock-guardrailConfig":{"tagSuffix":"x"}"#,
                "amazon-bedrock-guardrailConfig",
            ),
            (r#","amazon-bedrock-trace":"ENABLED""#, "amazon-bedrock-trace"),
            (r#","amazon-bedrock-Xyzzy7":1"#, "amazon-bedrock-*"),
        ] {
            assert_eq!(ask(&[], more).as_deref(), Some(named), "{path}");
        }
        let nothing = r#","amazon-bedrock-guardrailConfig":null"#;
        assert_eq!(
            ask(&[("x-amzn-bedrock-trace", "DISABLED")], nothing),
            None,
            "{path}"
        );
    }
}

#[test]
fn a_query_means_what_sigv4_signs_of_it() {
    let assume = |method, raw_query: &str, body: &[u8]| {
        let head = RequestHead {
            raw_query,
            content_type: FORM,
            ..at(method, "/")
        };
        match route(&head).ok().unwrap().command(&|_| Vec::new(), body) {
            Ok(Command::Sts(Request::AssumeRole(assume))) => Ok(assume.role_session_name),
            Ok(_) => panic!("another command"),
            Err(failure) => Err(failure),
        }
    };
    let form = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&RoleSessionName=";
    let (plus, encoded) = (format!("{form}a.b@c+d"), format!("{form}a.b@c%2Bd"));
    for method in ["GET", "POST"] {
        assert_eq!(assume(method, &plus, b"").as_deref(), Ok("a.b@c+d"));
        assert_eq!(assume(method, &encoded, b"").as_deref(), Ok("a.b@c+d"));
    }
    // Nor does a signature say which of two came first.
    let twice = format!("{encoded}&RoleSessionName=other");
    assert!(matches!(assume("GET", &twice, b""), Err(Failure::Validation(_))));
    // In a form, whose bytes are signed as they are, it is a space, which no name of a session has.
    assert!(assume("POST", "", plus.as_bytes()).is_err());
    assert_eq!(assume("POST", "", encoded.as_bytes()).as_deref(), Ok("a.b@c+d"));
}

proptest! {
    #[test]
    fn no_head_panics(method in "[A-Z]{0,6}", path in "(/v1|/openai/v1)?[/a-z_%.0-9é]{0,30}", query in ".{0,20}", header in ".{0,60}") {
        let head = RequestHead {
            method: &method,
            raw_path: &path,
            raw_query: &query,
            content_type: Some(&header),
            authorization: Some(&header),
            host: "localhost",
            of_aws: false,
        };
        if let Ok(route) = route(&head) {
            drop(route.command(&|_| Vec::new(), b"{}"));
        }
    }
}
