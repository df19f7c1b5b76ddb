//! What is no pattern, and where it is wrong.

use super::{Fault, fault, pattern};
use crate::pattern::{FilterPattern, Selector};

#[test]
fn terms() {
    for (text, expected) in [
        ("foo.bar", (Fault::NeedsQuotes, 4)),
        ("foo “bar”", (Fault::NeedsQuotes, 5)),
        ("a -", (Fault::EmptyTerm, 4)),
        ("?", (Fault::EmptyTerm, 2)),
        ("- a", (Fault::EmptyTerm, 2)),
        ("\"a", (Fault::OpenQuote, 1)),
        ("x \"a\\\"", (Fault::OpenQuote, 3)),
        ("\"a\"b", (Fault::NeedsQuotes, 4)),
        ("%a", (Fault::OpenExpression, 1)),
        ("%a%b", (Fault::NeedsQuotes, 4)),
        ("a%b%", (Fault::NeedsQuotes, 2)),
        ("%a% %b% %c%", (Fault::TooManyExpressions, 10)),
        ("a}", (Fault::NeedsQuotes, 2)),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn expressions() {
    for (text, expected) in [
        ("%%", (Fault::ExpressionEmpty, 2)),
        ("%a|%", (Fault::ExpressionEmpty, 4)),
        ("%|a%", (Fault::ExpressionEmpty, 2)),
        ("%something!%", (Fault::ExpressionCharacter, 11)),
        ("%(a)%", (Fault::ExpressionCharacter, 2)),
        (r"%\(a%", (Fault::ExpressionEscape, 3)),
        ("%né%", (Fault::ExpressionCharacter, 3)),
        ("%[é]%", (Fault::ExpressionCharacter, 3)),
        (r"%\b%", (Fault::ExpressionEscape, 3)),
        (r"%\%", (Fault::ExpressionEscape, 3)),
        (r"%\x8F%", (Fault::ExpressionEscape, 4)),
        (r"%\x4%", (Fault::ExpressionEscape, 4)),
        ("%[a%", (Fault::ExpressionClass, 4)),
        ("%[]%", (Fault::ExpressionClass, 3)),
        ("%[^]%", (Fault::ExpressionClass, 3)),
        ("%[z-a]%", (Fault::ExpressionClass, 5)),
        (r"%[a-\d]%", (Fault::ExpressionClass, 5)),
        ("%*a%", (Fault::ExpressionRepetition, 2)),
        ("%^*%", (Fault::ExpressionRepetition, 3)),
        ("%a**%", (Fault::ExpressionRepetition, 4)),
        ("%a{}%", (Fault::ExpressionRepetition, 4)),
        ("%a{,}%", (Fault::ExpressionRepetition, 4)),
        ("%a{3,2}%", (Fault::ExpressionRepetition, 4)),
        ("%a{2%", (Fault::ExpressionRepetition, 4)),
        ("%a{1}{2}%", (Fault::ExpressionRepetition, 6)),
        ("%a{129}%", (Fault::ExpressionSize, 4)),
        ("%a{99999999999}%", (Fault::ExpressionSize, 4)),
        ("%a{28}b{100}c%", (Fault::ExpressionSize, 13)),
        ("%a]%", (Fault::ExpressionCharacter, 3)),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn fields() {
    for (text, expected) in [
        ("[a, b", (Fault::OpenBracket, 2)),
        ("[..., ...]", (Fault::TwoEllipses, 10)),
        ("[a b]", (Fault::NoOperator, 4)),
        ("[a.b]", (Fault::NoOperator, 3)),
        ("[=4]", (Fault::BadField, 2)),
        ("[$a]", (Fault::BadField, 2)),
        ("[a=]", (Fault::NoOperand, 4)),
        ("[a=1 && ]", (Fault::BadField, 9)),
        ("[a=1 && b=2]", (Fault::OtherField, 9)),
        ("[a=1 b]", (Fault::Unexpected, 6)),
        ("[a>x]", (Fault::NeedsNumber, 4)),
        ("[a>\"5\"]", (Fault::NeedsNumber, 4)),
        ("[a=x/y]", (Fault::NeedsQuotes, 5)),
        ("[a=(1)]", (Fault::NeedsQuotes, 4)),
        ("[a=\"x]", (Fault::OpenQuote, 4)),
        ("[a=%x%, b=%x%, c=%x%]", (Fault::TooManyExpressions, 19)),
        ("[... a]", (Fault::Unexpected, 6)),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn properties() {
    let nested = format!("{{{}$.a=1{}}}", "(".repeat(33), ")".repeat(33));
    let long = format!("{{$.a{}=1}}", ".b".repeat(128));
    let wide: Vec<String> = (0..60).map(|at| format!("$.{at}=1")).collect();
    let tail = ".x".repeat(100);
    let complex = format!("{{$.*{tail}=1||{}}}", wide.join("||"));
    for (text, expected) in [
        ("{ $.a = 1", (Fault::OpenBrace, 2)),
        ("{}", (Fault::NoSelector, 2)),
        ("{ a = 1 }", (Fault::NoSelector, 3)),
        ("{ $ = 1 }", (Fault::BadSelector, 4)),
        ("{ $a = 1 }", (Fault::BadSelector, 4)),
        ("{ $. = 1 }", (Fault::BadSelector, 5)),
        ("{ $..a = 1 }", (Fault::BadSelector, 5)),
        ("{ $.a. = 1 }", (Fault::BadSelector, 7)),
        ("{ $.a[ = 1 }", (Fault::BadSelector, 7)),
        ("{ $.a[-1] = 1 }", (Fault::BadSelector, 7)),
        ("{ $.a.[0] = 1 }", (Fault::BadSelector, 8)),
        ("{ $.a['b] = 1 }", (Fault::OpenQuote, 7)),
        ("{ $.a[99999999999999999999999] = 1 }", (Fault::BadSelector, 7)),
        ("{ $.*.* = 1 }", (Fault::SelectorWildcards, 3)),
        (
            "{ $.*=1||$.a.*=1||$.b.*=1||$.c[*]=1 }",
            (Fault::PatternWildcards, 1),
        ),
        ("{ $.a }", (Fault::NoOperator, 7)),
        ("{ $.a == 1 }", (Fault::NeedsQuotes, 8)),
        ("{ $.a = }", (Fault::NoOperand, 9)),
        ("{ $.a = a@b }", (Fault::NeedsQuotes, 10)),
        ("{ $.a = \"x }", (Fault::OpenQuote, 9)),
        ("{ $.a > x }", (Fault::NeedsNumber, 9)),
        ("{ $.a < %x% }", (Fault::NeedsNumber, 9)),
        ("{ $.a IS }", (Fault::BadIs, 7)),
        ("{ $.a IS null }", (Fault::BadIs, 7)),
        ("{ $.a IS NULLS }", (Fault::BadIs, 7)),
        ("{ $.a IS NOT NULL }", (Fault::Unsupported, 7)),
        ("{ $.a EXISTS }", (Fault::Unsupported, 7)),
        ("{ $.a NOT NULL }", (Fault::NoOperator, 7)),
        ("{ ($.a = 1 }", (Fault::OpenParenthesis, 12)),
        ("{ $.a = 1) }", (Fault::Unexpected, 10)),
        ("{ $.a = 1 & $.b = 1 }", (Fault::Unexpected, 11)),
        ("{ $.a = 1 && }", (Fault::NoSelector, 14)),
        ("{ $.a = 1 $.b = 1 }", (Fault::Unexpected, 11)),
        (
            "{ $.a=%x% && $.b=%x% && $.c=%x% }",
            (Fault::TooManyExpressions, 30),
        ),
        (&nested, (Fault::TooDeep, 34)),
        (&long, (Fault::TooDeep, 2)),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
    pattern(&complex);
}

#[test]
fn length_in_characters() {
    let longest = format!("\"{}\"", "é".repeat(1022));
    pattern(&longest);
    assert_eq!(fault(&format!("{longest} ")), (Fault::TooLong, 1025));
}

/// A wildcard's way is repeated beside each name: the product has a limit of its own.
#[test]
fn tables_of_selectors_are_bounded() {
    let mut text = "{$.*".to_owned();
    text.push_str(&".x".repeat(100));
    text.push_str("=1||");
    let names: Vec<String> = (0..100).map(|at| format!("$.{at}=1")).collect();
    text.push_str(&names.join("||"));
    text.push('}');
    assert_eq!(fault(&text), (Fault::TooComplex, 1));
}

#[test]
fn selectors() {
    for text in ["$.a", "$.a[0].b", "$.['x.y']", "$bytes", "$7", "$[0]"] {
        assert!(Selector::parse(text).is_ok(), "{text}");
    }
    for (text, expected) in [
        ("", Fault::NoSelector),
        ("a", Fault::NoSelector),
        ("$", Fault::BadSelector),
        ("$.", Fault::BadSelector),
        ("$.a b", Fault::Unexpected),
        ("$bytes.x", Fault::Unexpected),
        ("$.a, $.b", Fault::Unexpected),
    ] {
        assert_eq!(
            Selector::parse(text).err().map(|error| error.fault),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn messages_say_where_and_repeat_nothing() {
    let error = FilterPattern::parse("card 4111-1111")
        .err()
        .map(|error| error.to_string());
    let expected = "invalid filter pattern: invalid character(s) in a term: they need double quotation marks, at character 10";
    assert_eq!(error.as_deref(), Some(expected));
}
