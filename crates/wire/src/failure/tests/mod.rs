//! Status, code and shape, per protocol.

mod words;

use super::*;

const STS: ErrorShape = ErrorShape::Query {
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
};

fn body(failure: &Failure, shape: ErrorShape) -> String {
    let request: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    String::from_utf8(failure.reply(shape, &request).body.expose().to_vec()).unwrap()
}

/// Status for OpenAI; code and status of the query protocol; code and status of JSON; status of REST.
const AUTHENTICATION: &str = "\
401 MissingAuthenticationToken 403 MissingAuthenticationTokenException 400 403
401 IncompleteSignature 400 IncompleteSignatureException 400 403
401 InvalidClientTokenId 403 UnrecognizedClientException 400 403
401 SignatureDoesNotMatch 403 InvalidSignatureException 400 403
401 ExpiredToken 403 ExpiredTokenException 400 403
401 SignatureDoesNotMatch 403 InvalidSignatureException 400 403
403 AccessDenied 403 AccessDeniedException 400 403";

#[test]
fn authentication_failures_have_the_codes_of_each_protocol() {
    let failures = [
        Failure::MissingAuthentication,
        Failure::MalformedAuthentication("x".to_owned()),
        Failure::UnknownCredentials,
        Failure::BadSignature,
        Failure::ExpiredCredentials {
            ended: Timestamp::from_unix_seconds(1),
        },
        Failure::Skewed("Signature expired: a is now earlier than b (c - 5 min.)".to_owned()),
        Failure::AccessDenied("x".to_owned()),
    ];
    let both = |failure: &Failure, shape| format!("{} {}", failure.code(shape), failure.status(shape));
    let line = |failure: &Failure| {
        let (openai, rest) = (
            failure.status(ErrorShape::OpenAi),
            failure.status(ErrorShape::RestJson),
        );
        format!(
            "{openai} {} {} {rest}",
            both(failure, STS),
            both(failure, ErrorShape::AwsJson)
        )
    };
    let told: Vec<String> = failures.iter().map(line).collect();
    assert_eq!(told.join("\n"), AUTHENTICATION);
}

#[test]
fn query_errors_are_xml_and_escaped() {
    let text = body(&Failure::AccessDenied("User: <a> & \"b\" \u{1}".to_owned()), STS);
    assert_eq!(
        text,
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
         <Code>AccessDenied</Code>\n    <Message>User: &lt;a&gt; &amp; &quot;b&quot; ?</Message>\n  </Error>\n  \
         <RequestId>11111111-2222-4333-8444-555555555555</RequestId>\n</ErrorResponse>\n"
    );
    assert!(body(&Failure::Internal, STS).contains("<Type>Receiver</Type>"));
}

#[test]
fn openai_errors_name_type_param_and_code() {
    let model = Failure::ModelNotFound("nope".parse().ok());
    assert_eq!(
        body(&model, ErrorShape::OpenAi),
        r#"{"error":{"message":"The model 'nope' does not exist or you do not have access to it. GET /v1/models lists those that are served.","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#
    );
}

#[test]
fn json_errors_have_their_type_in_the_body_or_the_header() {
    let failure = Failure::Validation("1 validation error detected: x".to_owned());
    let text = body(&failure, ErrorShape::AwsJson);
    assert_eq!(
        text,
        r#"{"__type":"ValidationException","message":"1 validation error detected: x"}"#
    );
    let request: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let reply = failure.reply(ErrorShape::RestJson, &request);
    assert_eq!(
        reply.headers,
        [("x-amzn-errortype", "ValidationException".to_owned())]
    );
}

#[test]
fn waiting_clients_are_told_how_long() {
    let request: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let reply = Failure::Throttled { retry_after: 7 }.reply(ErrorShape::OpenAi, &request);
    assert_eq!(
        (reply.status, reply.headers),
        (429, vec![("retry-after", "7".to_owned())])
    );
}

#[test]
fn an_uncounted_prompt_is_too_long_in_the_same_words() {
    let told = |prompt_tokens| {
        let failure = Failure::ContextLengthExceeded {
            limit: 8192,
            prompt_tokens,
        };
        (failure.code(ErrorShape::OpenAi), failure.message())
    };
    for (prompt_tokens, counted) in [(Some(9000), "9000 tokens"), (None, "far more")] {
        let (code, message) = told(prompt_tokens);
        assert_eq!(code, "context_length_exceeded");
        assert_eq!(
            message,
            format!(
                "This model's maximum context length is 8192 tokens. However, your messages resulted in {counted}. \
                 Please reduce the length of the messages."
            )
        );
    }
}

#[test]
fn ec2_has_codes_and_an_envelope_of_its_own() {
    let told = |failure: &Failure| (failure.status(ErrorShape::Ec2), failure.code(ErrorShape::Ec2));
    let denied = Failure::AccessDenied("You <may> not.".to_owned());
    for (failure, expected) in [
        (&denied, (403, "UnauthorizedOperation")),
        (
            &Failure::MissingAuthentication,
            (403, "MissingAuthenticationToken"),
        ),
        (&Failure::UnknownCredentials, (401, "AuthFailure")),
        (&Failure::BadSignature, (401, "AuthFailure")),
        (
            &Failure::ExpiredCredentials {
                ended: Timestamp::from_unix_seconds(1),
            },
            (400, "RequestExpired"),
        ),
        (&Failure::Validation(String::new()), (400, "InvalidParameter")),
        (
            &Failure::Throttled { retry_after: 1 },
            (503, "RequestLimitExceeded"),
        ),
        (&Failure::Unavailable, (503, "Unavailable")),
        (&Failure::Internal, (500, "InternalError")),
    ] {
        assert_eq!(told(failure), expected, "{failure:?}");
    }
    assert_eq!(
        body(&denied, ErrorShape::Ec2),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code>\
         <Message>You &lt;may&gt; not.</Message></Error></Errors>\
         <RequestID>11111111-2222-4333-8444-555555555555</RequestID></Response>"
    );
}

#[test]
fn s3_has_codes_and_a_document_of_its_own() {
    let told = |failure: &Failure| (failure.status(ErrorShape::S3), failure.code(ErrorShape::S3));
    let region = Failure::WrongRegion {
        asked: None,
        served: "moho-local-1".parse().unwrap(),
    };
    for (failure, expected) in [
        (&Failure::MissingAuthentication, (403, "AccessDenied")),
        (&Failure::AccessDenied(String::new()), (403, "AccessDenied")),
        (
            &Failure::MalformedAuthentication(String::new()),
            (400, "AuthorizationHeaderMalformed"),
        ),
        (&Failure::UnknownCredentials, (403, "InvalidAccessKeyId")),
        (&Failure::BadSignature, (403, "SignatureDoesNotMatch")),
        (
            &Failure::ExpiredCredentials {
                ended: Timestamp::from_unix_seconds(1),
            },
            (400, "ExpiredToken"),
        ),
        (&Failure::Skewed(String::new()), (403, "RequestTimeTooSkewed")),
        (&region, (400, "AuthorizationHeaderMalformed")),
        (&Failure::Throttled { retry_after: 1 }, (503, "SlowDown")),
        (&Failure::Unavailable, (503, "ServiceUnavailable")),
        (&Failure::Internal, (500, "InternalError")),
    ] {
        assert_eq!(told(failure), expected, "{failure:?}");
    }
    let id = "11111111-2222-4333-8444-555555555555";
    assert_eq!(
        body(
            &Failure::AccessDenied("You <may> not.".to_owned()),
            ErrorShape::S3
        ),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>\
             <Message>You &lt;may&gt; not.</Message><RequestId>{id}</RequestId><HostId>{id}</HostId></Error>"
        )
    );
    let reply = region.reply(ErrorShape::S3, &id.parse().unwrap());
    assert!(
        reply
            .headers
            .contains(&("x-amz-bucket-region", "moho-local-1".to_owned()))
    );
    assert!(reply.headers.contains(&("x-amz-request-id", id.to_owned())));
    let text = body(&region, ErrorShape::S3);
    assert!(text.contains("<Region>moho-local-1</Region>"), "{text}");
}
