//! What both APIs read of sampling, and how they refuse: the same in both.

use super::Sampling;
use super::chat::CreateChat;
use super::responses::CreateResponse;
use crate::Failure;

/// What either API makes of settings.
type Read = Result<(Sampling, Vec<(u32, f32)>), Failure>;

/// Sets what is expected.
type Set = fn(&mut Sampling);

fn both(settings: &str) -> [Read; 2] {
    let chat = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{settings}}}"#);
    let responses = format!(r#"{{"model":"m","input":"x",{settings}}}"#);
    [
        CreateChat::parse(chat.as_bytes()).map(|chat| (chat.sampling, chat.logit_bias)),
        CreateResponse::parse(responses.as_bytes()).map(|create| (create.sampling, create.logit_bias)),
    ]
}

fn taken(settings: &str) -> (Sampling, Vec<(u32, f32)>) {
    let [chat, responses] = both(settings).map(|read| read.unwrap_or_else(|failure| panic!("{failure:?}")));
    assert_eq!(chat, responses, "{settings}");
    chat
}

#[test]
fn every_setting_is_read_to_its_ends() {
    let cases: [(&str, Set); 9] = [
        (r#""temperature":0"#, |s| s.temperature = Some(0.0)),
        (r#""temperature":2"#, |s| s.temperature = Some(2.0)),
        (r#""top_p":1.0"#, |s| s.top_p = Some(1.0)),
        (r#""min_p":0.05"#, |s| s.min_p = Some(0.05)),
        (r#""top_k":40"#, |s| s.top_k = Some(40)),
        (r#""top_k":-1"#, |s| s.top_k = Some(0)),
        (r#""presence_penalty":-2,"frequency_penalty":2e0"#, |s| {
            s.presence_penalty = Some(-2.0);
            s.frequency_penalty = Some(2.0);
        }),
        (r#""repetition_penalty":1.3"#, |s| {
            s.repetition_penalty = Some(1.3)
        }),
        (r#""seed":-1,"min_p":null"#, |s| s.seed = Some(u64::MAX)),
    ];
    for (settings, set) in cases {
        let mut expected = Sampling::default();
        set(&mut expected);
        assert_eq!(taken(settings), (expected, Vec::new()), "{settings}");
    }
    let (_, biases) = taken(r#""logit_bias":{"5":-100,"0":100,"05":0.5,"99999999999":1,"5":1e1}"#);
    assert_eq!(biases, [(0, 100.0), (5, 10.0), (u32::MAX, 1.0)]);
    assert!(taken(r#""logit_bias":{}"#).1.is_empty());
}

/// The field to blame, the code, the message and the setting.
const WRONG: &[[&str; 4]] = &[
    [
        "min_p",
        "decimal_above_max_value",
        "Invalid 'min_p': decimal above maximum value. Expected a value <= 1.",
        "1.01",
    ],
    [
        "min_p",
        "decimal_below_min_value",
        "Invalid 'min_p': decimal below minimum value. Expected a value >= 0.",
        "-0.1",
    ],
    [
        "min_p",
        "invalid_type",
        "Invalid type for 'min_p': expected a decimal, but got a string instead.",
        "\"NaN\"",
    ],
    [
        "min_p",
        "decimal_above_max_value",
        "Invalid 'min_p': decimal above maximum value. Expected a value <= 1.",
        "1e999",
    ],
    [
        "min_p",
        "decimal_below_min_value",
        "Invalid 'min_p': decimal below minimum value. Expected a value >= 0.",
        "-1e999",
    ],
    [
        "top_k",
        "integer_below_min_value",
        "Invalid 'top_k': integer below minimum value. Expected a value >= -1.",
        "-2",
    ],
    [
        "top_k",
        "integer_above_max_value",
        "Invalid 'top_k': integer above maximum value. Expected a value <= 4294967295.",
        "4294967296",
    ],
    [
        "top_k",
        "invalid_type",
        "Invalid type for 'top_k': expected an integer, but got a decimal instead.",
        "0.5",
    ],
    [
        "presence_penalty",
        "decimal_above_max_value",
        "Invalid 'presence_penalty': decimal above maximum value. Expected a value <= 2.",
        "2.1",
    ],
    [
        "frequency_penalty",
        "decimal_below_min_value",
        "Invalid 'frequency_penalty': decimal below minimum value. Expected a value >= -2.",
        "-2.1",
    ],
    [
        "frequency_penalty",
        "invalid_type",
        "Invalid type for 'frequency_penalty': expected a decimal, but got an array instead.",
        "[[[0]]]",
    ],
    [
        "repetition_penalty",
        "decimal_below_min_value",
        "Invalid 'repetition_penalty': decimal below minimum value. Expected a value >= 0.01.",
        "0",
    ],
    [
        "repetition_penalty",
        "decimal_above_max_value",
        "Invalid 'repetition_penalty': decimal above maximum value. Expected a value <= 100.",
        "101",
    ],
    [
        "top_logprobs",
        "integer_above_max_value",
        "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 20.",
        "21",
    ],
    [
        "top_logprobs",
        "integer_below_min_value",
        "Invalid 'top_logprobs': integer below minimum value. Expected a value >= 0.",
        "-1",
    ],
    [
        "top_logprobs",
        "invalid_type",
        "Invalid type for 'top_logprobs': expected an integer, but got a boolean instead.",
        "true",
    ],
    [
        "seed",
        "integer_above_max_value",
        "Invalid 'seed': integer above maximum value. Expected a value <= 9223372036854775807.",
        "9223372036854775808",
    ],
    [
        "logit_bias",
        "invalid_type",
        "Invalid type for 'logit_bias': expected an object, but got an array instead.",
        "[[50256,-100]]",
    ],
    [
        "logit_bias",
        "-",
        "Invalid key in 'logit_bias'. You should only be submitting non-negative integers.",
        r#"{" Paris":1}"#,
    ],
    [
        "logit_bias",
        "-",
        "Invalid key in 'logit_bias'. You should only be submitting non-negative integers.",
        r#"{"-1":1}"#,
    ],
    [
        "logit_bias",
        "-",
        "Invalid key in 'logit_bias'. You should only be submitting non-negative integers.",
        r#"{"+1":1}"#,
    ],
    [
        "logit_bias",
        "-",
        "Invalid key in 'logit_bias'. You should only be submitting non-negative integers.",
        r#"{"":1}"#,
    ],
    [
        "logit_bias.7",
        "decimal_above_max_value",
        "Invalid 'logit_bias.7': decimal above maximum value. Expected a value <= 100.",
        r#"{"7":100.5}"#,
    ],
    [
        "logit_bias.7",
        "decimal_below_min_value",
        "Invalid 'logit_bias.7': decimal below minimum value. Expected a value >= -100.",
        r#"{"7":-101}"#,
    ],
    [
        "logit_bias.7",
        "invalid_type",
        "Invalid type for 'logit_bias.7': expected a decimal, but got a string instead.",
        r#"{"7":"NaN"}"#,
    ],
    [
        "logit_bias.7",
        "invalid_type",
        "Invalid type for 'logit_bias.7': expected a decimal, but got null instead.",
        r#"{"7":null}"#,
    ],
    [
        "logit_bias.7",
        "invalid_type",
        "Invalid type for 'logit_bias.7': expected a decimal, but got an object instead.",
        r#"{"7":{"7":{}}}"#,
    ],
];

fn blame(failure: Failure) -> [String; 3] {
    let Failure::Invalid { message, param, code } = failure else {
        panic!("{failure:?}")
    };
    [param.unwrap_or_default(), code.unwrap_or("-").to_owned(), message]
}

#[test]
fn both_apis_refuse_alike() {
    for [param, code, message, value] in WRONG {
        let name = param.split('.').next().unwrap();
        for read in both(&format!(r#""{name}":{value}"#)) {
            let refused = read.err().unwrap_or_else(|| panic!("{param} takes {value}"));
            assert_eq!(blame(refused), [*param, *code, *message], "{value}");
        }
    }
}

#[test]
fn chat_alone_refuses_what_it_alone_has() {
    for [param, code, message, settings] in [
        [
            "n",
            "integer_above_max_value",
            "Invalid 'n': integer above maximum value. Expected a value <= 128.",
            r#""n":129"#,
        ],
        [
            "n",
            "integer_below_min_value",
            "Invalid 'n': integer below minimum value. Expected a value >= 1.",
            r#""n":0"#,
        ],
        [
            "n",
            "integer_below_min_value",
            "Invalid 'n': integer below minimum value. Expected a value >= 1.",
            r#""n":-99999999999999999999"#,
        ],
        [
            "n",
            "invalid_type",
            "Invalid type for 'n': expected an integer, but got a string instead.",
            r#""n":"2""#,
        ],
        [
            "top_logprobs",
            "-",
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
            r#""top_logprobs":1"#,
        ],
        [
            "top_logprobs",
            "-",
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
            r#""top_logprobs":1,"logprobs":false"#,
        ],
        [
            "logprobs",
            "invalid_type",
            "Invalid type for 'logprobs': expected a boolean, but got an integer instead.",
            r#""logprobs":5"#,
        ],
        [
            "stop",
            "array_above_max_length",
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 instead.",
            r#""stop":["a","b","c","d","e"]"#,
        ],
    ] {
        let [chat, _] = both(settings);
        assert_eq!(blame(chat.err().unwrap()), [param, code, message], "{settings}");
    }
}

#[test]
fn biases_have_a_bound() {
    let many = |count: usize| {
        let pairs: Vec<String> = (0..count).map(|id| format!("\"{id}\":1")).collect();
        format!("\"logit_bias\":{{{}}}", pairs.join(","))
    };
    assert_eq!(taken(&many(1024)).1.len(), 1024);
    for read in both(&many(1025)) {
        let [param, code, message] = blame(read.err().unwrap());
        assert_eq!(
            (param.as_str(), code.as_str()),
            ("logit_bias", "object_above_max_properties")
        );
        assert!(
            message.ends_with("at most 1024 properties, but got an object with 1025 properties instead.")
        );
    }
    // One token a thousand times is too much as well.
    let same = format!("\"logit_bias\":{{{}}}", vec!["\"1\":1"; 1025].join(","));
    // A million do not even get as far as that.
    for read in both(&same).into_iter().chain(both(&many(1_000_000))) {
        assert!(read.is_err());
    }
}
