//! What AWS documents, case by case.

use super::matched;

const LINES: [&str; 5] = [
    "[ERROR 400] bad request",
    "[ERROR 407] missing arguments, Unauthorized",
    "[WARN] request is slow",
    "Exiting with ERRORCODE: -1",
    "all is well",
];

#[test]
fn terms() {
    for (pattern, expected) in [
        ("", vec![0, 1, 2, 3, 4]),
        ("   ", vec![0, 1, 2, 3, 4]),
        (r#"" ""#, vec![0, 1, 2, 3, 4]),
        (r#""""#, vec![0, 1, 2, 3, 4]),
        ("ERROR", vec![0, 1, 3]),
        ("error", vec![]),
        ("ERROR request", vec![0]),
        ("request ERROR", vec![0]),
        ("?ERROR ?WARN", vec![0, 1, 2, 3]),
        ("?well", vec![4]),
        // Optional terms count for nothing beside others.
        ("?ERROR ?WARN request", vec![0, 2]),
        ("?WARN -request", vec![1, 3, 4]),
        ("ERROR -request", vec![1, 3]),
        ("-ERROR", vec![2, 4]),
        (r#""bad request""#, vec![0]),
        (r#""request bad""#, vec![]),
        (r#""[ERROR 400]""#, vec![0]),
        (r#""[ERROR" -"missing arguments""#, vec![0]),
        (r#"?"[WARN]" ?"is well""#, vec![2, 4]),
        (r#"-" ""#, vec![]),
        ("ERROR\t\n request", vec![0]),
    ] {
        assert_eq!(matched(pattern, &LINES), expected, "{pattern}");
    }
}

#[test]
fn escapes_in_phrases() {
    let events = [r#"say "no" now"#, r"C:\logs\new", "say no now"];
    for (pattern, expected) in [
        (r#""say \"no\"""#, vec![0]),
        (r#""C:\\logs""#, vec![1]),
        (r#""C:\logs\new""#, vec![1]),
    ] {
        assert_eq!(matched(pattern, &events), expected, "{pattern}");
    }
}

#[test]
fn expressions() {
    let events = [
        "hat color 10.10.0.1 ac",
        "a cat colour 10010,051 abbbc",
        "the bat [7] gr(e)y",
        "starting: tab\there",
        "skipping initializing",
        "naïve\nline",
    ];
    for (pattern, expected) in [
        ("%^[hc]at%", vec![0]),
        ("%[hc]at%", vec![0, 1]),
        ("%.at%", vec![0, 1, 2]),
        ("%colou?r%", vec![0, 1]),
        (r"%10\.10\.0\.1%", vec![0]),
        ("%10.10.0.1%", vec![0, 1]),
        ("%ab*c%", vec![0, 1]),
        ("%ab+c%", vec![1]),
        ("%ab{3}c%", vec![1]),
        ("%ab{3,5}c%", vec![1]),
        ("%ab{4,5}c%", vec![]),
        ("%ab{,2}c%", vec![0]),
        ("%ab{2,}c%", vec![1]),
        ("%ab{2, 3}c%", vec![1]),
        (r"%\[.\]%", vec![2]),
        (r"%\[\d\]%", vec![2]),
        (r"%^\D*$%", vec![3, 4, 5]),
        (r"%gr\x28e\x29y%", vec![2]),
        (r"%\x3A%", vec![3]),
        (r"%\w{12}%", vec![4]),
        (r"%tab\shere%", vec![3]),
        (r"%^\S+$%", vec![]),
        (r"%\W\[%", vec![2]),
        ("%^starting|^initializing|shutting down%", vec![3]),
        ("%initializing$%", vec![4]),
        ("%na.ve.line%", vec![5]),
        ("%[^a-z0-9 .,:]%", vec![2, 3, 5]),
        ("%[abx-z]t%", vec![0, 1, 2]),
        ("%HAT%", vec![]),
        ("%hat.*?color%", vec![0]),
        ("%at% -%cat%", vec![0, 2]),
        ("?%cat% ?%bat%", vec![1, 2]),
    ] {
        assert_eq!(matched(pattern, &events), expected, "{pattern}");
    }
}

const ACCESS: [&str; 4] = [
    r#"10.0.0.7 - mallory [10/Oct/2025:13:25:15 -0700] "GET /index.html HTTP/1.1" 404 1534"#,
    r#"10.0.0.9 - trent [10/Oct/2025:13:35:22 -0700] "GET /about/index.html HTTP/1.1" 200 5324"#,
    r#"10.0.1.7 - trent [10/Oct/2025:13:50:35 -0700] "GET /moho.png HTTP/1.1" 410 99"#,
    "ERROR disk is full",
];

#[test]
fn fields() {
    let all = "ip, user, username, timestamp, request";
    for (pattern, expected) in [
        ("[]".to_owned(), vec![0, 1, 2, 3]),
        ("[...]".to_owned(), vec![0, 1, 2, 3]),
        (format!("[{all}, status, bytes]"), vec![0, 1, 2]),
        (format!("[{all}, status, bytes, more]"), vec![]),
        // The last field is all that is left.
        ("[w1=ERROR, w2]".to_owned(), vec![3]),
        ("[w1=ERROR, w2=\"disk is full\"]".to_owned(), vec![3]),
        ("[w1=ERROR]".to_owned(), vec![]),
        ("[w1!=ERROR, w2]".to_owned(), vec![0, 1, 2]),
        ("[w1=ERROR || w1=10.0.1.*, w2]".to_owned(), vec![2, 3]),
        ("[w1!=ERROR && w1!=10.0.1.*, w2]".to_owned(), vec![0, 1]),
        (
            "[w1=10.0.0.7 || w1=10.0.0.9 && w1=10.0.1.7, w2]".to_owned(),
            vec![0],
        ),
        ("[..., status=404, bytes]".to_owned(), vec![0]),
        ("[ip, user, ..., status = 4*, bytes]".to_owned(), vec![0, 2]),
        ("[ip=ERROR, ...]".to_owned(), vec![3]),
        ("[..., request=*.html*, status=4*,]".to_owned(), vec![0]),
        ("[..., bytes>1000]".to_owned(), vec![0, 1]),
        ("[..., bytes > 1000 && bytes<2e3]".to_owned(), vec![0]),
        ("[..., bytes <= 99]".to_owned(), vec![2]),
        ("[..., bytes >= 1534]".to_owned(), vec![0, 1]),
        ("[..., bytes = 1534.0]".to_owned(), vec![0]),
        ("[..., bytes != 1534]".to_owned(), vec![1, 2, 3]),
        (
            "[..., status = 404 || status = 410, bytes]".to_owned(),
            vec![0, 2],
        ),
        (
            r#"[..., when="10/Oct/2025:13:50*", request, status, bytes]"#.to_owned(),
            vec![2],
        ),
        (r"[ip=%^10\.0\.0\.[1-9]$%, ...]".to_owned(), vec![0, 1]),
        (
            r"[ip, ..., request=%/index%, status=%^4%, bytes]".to_owned(),
            vec![0],
        ),
    ] {
        assert_eq!(matched(&pattern, &ACCESS), expected, "{pattern}");
    }
}

#[test]
fn what_is_one_field() {
    let events = [
        "a\tb   c d",
        "[a b] \"c d\"",
        "[a b c",
        r#""a \" b" c"#,
        "\"a b",
        "[a][b]\"c\"",
        "",
    ];
    for (pattern, expected) in [
        ("[x=a, y=b, z]", vec![0, 5]),
        (r#"[x="a b", y="c d"]"#, vec![1]),
        (r#"[x="[a", y]"#, vec![2]),
        (r#"[x="a \\\" b", y=c]"#, vec![3]),
        (r#"[x="\"a", y=b]"#, vec![4]),
        ("[x=a, y=b, z=c]", vec![5]),
    ] {
        assert_eq!(matched(pattern, &events), expected, "{pattern}");
    }
}

const TRAIL: &str = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],
  "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "cluster.name": "c", "flag": true,
  "off": false, "latency": 12.5, "count": 1e3, "account": "000123", "sub": {"id": 7}, "grid": [[0, 1], [2, 3]], "empty": ""}"#;

#[test]
fn properties_that_match() {
    for pattern in [
        r#"{ $.eventType = "UpdateTrail" }"#,
        "{$.eventType=UpdateTrail}",
        "{ $.eventType = Update* }",
        "{ $.eventType = *Trail }",
        r#"{ $.eventType = "*dateT*" }"#,
        "{ $.eventType = * }",
        "{ $.eventType != update* }",
        "{ $.sourceIPAddress != 123.123.* }",
        "{ $.sourceIPAddress = 111.111.* }",
        r#"{ $.arrayKey[0] = "value" }"#,
        r#"{ $.arrayKey[*] = "another*" }"#,
        "{ $.eventType = %Trail% }",
        "{ $.eventType != %Event% }",
        "{ $.arrayKey[*] = %val.{2}% }",
        r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }",
        "{ $.objectList[1].id = 2 }",
        "{ $.objectList[*].id = 2 }",
        "{ $.sub.* = 7 }",
        "{ $.sub.id = 9 || $.*.id = 7 }",
        "{ $.objectList[0].id = 9 || $.objectList[*].name = a }",
        "{ $.*.id = 7 }",
        "{ $.grid[1][0] = 2 }",
        "{ $.grid[*][1] = 3 }",
        r#"{ $.['cluster.name'] = "c" }"#,
        r#"{ $['cluster.name'] = "c" }"#,
        "{ $.SomeObject IS NULL }",
        "{ $.flag IS TRUE }",
        "{ $.off IS FALSE }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.sub.name NOT EXISTS }",
        "{ $.objectList[2] NOT EXISTS }",
        "{ $.latency > 12 }",
        "{ $.latency >= 12.5 }",
        "{ $.latency < +1.3e1 }",
        "{ $.latency <= 12.50 }",
        "{ $.latency = 1.25e+1 }",
        "{ $.latency != 12 }",
        "{ $.latency = 12* }",
        r#"{ $.latency = "12.5" }"#,
        "{ $.count = 1000 }",
        "{ $.count > -1 }",
        "{ $.account = 000123 }",
        "{ $.account != 123 }",
        r#"{ $.empty = "" }"#,
        "{ $.empty = * }",
        "{ $.latency > 12 && $.latency < 13 }",
        "{ ($.sub.id = 7) && ($.flag IS TRUE) }",
        // `&&` before `||`.
        "{ $.sub.id = 7 || $.flag IS TRUE && $.off IS TRUE }",
        "{ $.off IS TRUE && $.flag IS TRUE || $.sub.id = 7 }",
        "{ ($.a = 1 || ($.flag IS TRUE)) && ((($.sub.id = 7))) }",
    ] {
        assert_eq!(matched(pattern, &[TRAIL]), [0], "{pattern}");
    }
}

#[test]
fn properties_that_do_not() {
    for pattern in [
        r#"{ $.eventType = "updatetrail" }"#,
        "{ $.eventType = Update }",
        "{ $.eventType = Up*Trail }",
        "{ $.eventType != Update* }",
        "{ $.eventType != %Trail% }",
        "{ $.arrayKey[1] = value }",
        "{ $.arrayKey[2] = * }",
        // Neither holds of what is neither string nor number, nor of what is missing.
        "{ $.arrayKey = * }",
        "{ $.arrayKey != value }",
        "{ $.sub = * }",
        "{ $.flag = true }",
        "{ $.flag != x }",
        "{ $.SomeObject = null }",
        "{ $.missing != x }",
        "{ $.missing IS NULL }",
        "{ $.flag IS FALSE }",
        "{ $.off IS TRUE }",
        "{ $.eventType NOT EXISTS }",
        "{ $.SomeObject NOT EXISTS }",
        "{ $.arrayKey[*] NOT EXISTS }",
        "{ $.cluster.name = c }",
        "{ $.eventType > 5 }",
        "{ $.account < 5000 }",
        "{ $.account = 123 }",
        "{ $.latency != 12.5 }",
        "{ $.latency > 12.5 }",
        "{ $.sub[*] = 7 }",
        "{ $.arrayKey.* = value }",
        "{ $[0] = 1 }",
        "{ ($.sub.id = 7 || $.flag IS TRUE) && $.off IS TRUE }",
        "{ $.eventType = \"UpdateTrail\" && $.x = 1 }",
    ] {
        assert_eq!(matched(pattern, &[TRAIL]), [0_usize; 0], "{pattern}");
    }
}

#[test]
fn events_that_are_no_json() {
    let deep = format!("{{\"a\":1,\"b\":{}1{}}}", "[".repeat(127), "]".repeat(127));
    let deeper = format!("{{\"a\":1,\"b\":{}1{}}}", "[".repeat(128), "]".repeat(128));
    let events = [
        r#"{"a":1}"#,
        r#" {"a" : 1 } "#,
        r#"{"a":1"#,
        r#"{"a":1} x"#,
        r#"{"a":1,}"#,
        r#"{"a":01}"#,
        "{\"a\":1,\"b\":\"\u{1}\"}",
        r#"{"a":1,"b":"\x"}"#,
        r#"{"a":1,"b":[1 2]}"#,
        r#"{"a":1,"b":[}]}"#,
        r#"{"a":1,"b":tru}"#,
        r#"x {"a":1}"#,
        "1",
        "",
        &deep,
        &deeper,
    ];
    assert_eq!(matched("{ $.a = 1 }", &events), [0, 1, 14]);
    assert_eq!(matched("{ $.z NOT EXISTS }", &events), [0, 1, 14]);
}

#[test]
fn selectors_end_where_events_may_not_be_deeper() {
    for (open, step, close) in [("{\"a\":", ".a", "}"), ("[", "[0]", "]")] {
        let pattern = format!("{{ ${} = 1 || $.b NOT EXISTS }}", step.repeat(128));
        let event = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(matched(&pattern, &[&event(128), &event(129)]), [0]);
    }
}

#[test]
fn roots_escapes_and_repeated_names() {
    let events = [
        r#"[{"a":"x"},{"a":"y"}]"#,
        r#"{"\u0061":"\u0078"}"#,
        r#"{"a":"x","a":"y"}"#,
        r#"{"a":"say \"x\" \\ \/ \ud83d\ude00 \ud83d"}"#,
        r#"{"a\"b":1,"":2}"#,
        r#"{"a":99999999999999999999999999999999999999,"b":99999999999999999999999999999999999998}"#,
        r#"{"a":-0.0}"#,
        r#"{"a":"\b\f\r\t\n"}"#,
    ];
    for (pattern, expected) in [
        ("{ $[1].a = y }", vec![0]),
        ("{ $[*].a = x }", vec![0]),
        ("{ $.a = x }", vec![1, 2]),
        ("{ $.a = y }", vec![2]),
        ("{ $.a = \"say \\\"x\\\" \\\\ / 😀 \u{FFFD}\" }", vec![3]),
        ("{ $.['a\"b'] = 1 }", vec![4]),
        ("{ $.[''] = 2 }", vec![4]),
        ("{ $.a = 99999999999999999999999999999999999999 }", vec![5]),
        ("{ $.b = 99999999999999999999999999999999999999 }", vec![]),
        ("{ $.a = 0 }", vec![6]),
        ("{ $.a = \"\u{8}\u{c}\r\t\n\" }", vec![7]),
    ] {
        assert_eq!(matched(pattern, &events), expected, "{pattern}");
    }
}

#[test]
fn as_many_conditions_as_fit() {
    let all = vec!["$.a=1"; 140].join("&&");
    assert_eq!(matched(&format!("{{{all}}}"), &[r#"{"a":1}"#]), [0]);
    let last = vec!["$.a=2"; 139].join("||");
    assert_eq!(
        matched(&format!("{{{last}||$.a=1}}"), &[r#"{"a":1}"#, r#"{"a":3}"#]),
        [0]
    );
}

/// Each of these would take hours if what is looked for in vain were looked for again at each of its beginnings.
#[test]
fn what_never_closes_is_looked_for_once() {
    for (mark, pattern) in [
        ("[ ", "[..., x=\"[\"]"),
        ("\" ", "[..., x]"),
        ("[", "[x, y]"),
        ("\"\\", "[..., x]"),
    ] {
        let event = mark.repeat(1 << 22);
        assert!(matched(pattern, &[&event]).len() <= 1);
    }
    for part in ["[", "{\"a\":", "\"", "\\"] {
        let event = format!("{{\"a\":{}", part.repeat(1 << 20));
        assert_eq!(
            matched("{ $.a.a = 1 || $.b NOT EXISTS }", &[&event]),
            [0_usize; 0]
        );
    }
}
