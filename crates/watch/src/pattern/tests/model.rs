//! Slow and simple models of what patterns mean, and texts made at random for both.

use proptest::prelude::*;

/// A value of JSON. Objects keep repeated names.
#[derive(Clone, Debug)]
pub(super) enum Json {
    Null,
    True,
    False,
    Number(i32),
    Text(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// The text of this value. `turns` decides, one after another, where a character is escaped or a blank stands.
    pub(super) fn print(&self, turns: &mut impl Iterator<Item = u8>, out: &mut String) {
        if turns.next() == Some(0) {
            out.push_str(" \n");
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::True => out.push_str("true"),
            Self::False => out.push_str("false"),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => print_text(text, turns, out),
            Self::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    element.print(turns, out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, member)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    print_text(name, turns, out);
                    out.push(':');
                    member.print(turns, out);
                }
                out.push('}');
            }
        }
    }
}

fn print_text(text: &str, turns: &mut impl Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match (letter, turns.next()) {
            (_, Some(0)) => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            ('/', Some(1)) => out.push_str("\\/"),
            ('"' | '\\', _) => out.extend(['\\', letter]),
            ('\n', _) => out.push_str("\\n"),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// A step of a selector.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Field(String),
    AnyField,
    Element(usize),
    AnyElement,
}

/// What a condition asks of a value.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Text {
        equal: bool,
        text: String,
        open: (bool, bool),
    },
    Number {
        sign: &'static str,
        number: i32,
    },
    Is(&'static str),
    Absent,
}

/// A pattern of properties.
#[derive(Clone, Debug)]
pub(super) enum Logic {
    Ask(Vec<Step>, Ask),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Logic {
    pub(super) fn print(&self) -> String {
        let join = |parts: &[Self], sign: &str| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({})", part.print())).collect();
            parts.join(sign)
        };
        match self {
            Self::All(parts) => join(parts, " && "),
            Self::Any(parts) => join(parts, "||"),
            Self::Ask(path, ask) => {
                let steps = path.iter().map(|step| match step {
                    Step::Field(name) => {
                        format!(".['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
                    }
                    Step::AnyField => ".*".to_owned(),
                    Step::Element(at) => format!("[{at}]"),
                    Step::AnyElement => "[*]".to_owned(),
                });
                format!("${} {}", steps.collect::<String>(), ask.print())
            }
        }
    }

    pub(super) fn holds(&self, event: &Json) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Ask(path, ask) => {
                let mut found = vec![event];
                for step in path {
                    found = found.into_iter().flat_map(|value| below(value, step)).collect();
                }
                match ask {
                    Ask::Absent => found.is_empty(),
                    Ask::Text { .. } | Ask::Number { .. } | Ask::Is(_) => {
                        found.into_iter().any(|value| ask.holds(value))
                    }
                }
            }
        }
    }
}

fn below<'j>(value: &'j Json, step: &Step) -> Vec<&'j Json> {
    match (value, step) {
        (Json::Object(members), Step::Field(name)) => {
            let named = members.iter().filter(|(own, _)| own == name);
            named.map(|(_, value)| value).collect()
        }
        (Json::Object(members), Step::AnyField) => members.iter().map(|(_, value)| value).collect(),
        (Json::Array(elements), Step::Element(at)) => elements.get(*at).into_iter().collect(),
        (Json::Array(elements), Step::AnyElement) => elements.iter().collect(),
        _ => Vec::new(),
    }
}

impl Ask {
    fn print(&self) -> String {
        match self {
            Self::Absent => "NOT EXISTS".to_owned(),
            Self::Is(what) => format!("IS {what}"),
            Self::Number { sign, number } => format!("{sign} {number}"),
            Self::Text { equal, text, open } => format!(
                "{}= {}",
                if *equal { "" } else { "!" },
                quote(&format!(
                    "{}{text}{}",
                    if open.0 { "*" } else { "" },
                    if open.1 { "*" } else { "" }
                ))
            ),
        }
    }

    fn holds(&self, value: &Json) -> bool {
        let written = match value {
            Json::Text(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Null | Json::True | Json::False | Json::Array(_) | Json::Object(_) => None,
        };
        match self {
            Self::Absent => false,
            Self::Is(what) => matches!(
                (*what, value),
                ("NULL", Json::Null) | ("TRUE", Json::True) | ("FALSE", Json::False)
            ),
            Self::Text { equal, text, open } => written.is_some_and(|written| {
                let is_like = match open {
                    (false, false) => written == *text,
                    (true, false) => written.ends_with(text.as_str()),
                    (false, true) => written.starts_with(text.as_str()),
                    (true, true) => written.contains(text.as_str()),
                };
                is_like == *equal
            }),
            Self::Number { sign, number } => match value {
                Json::Number(own) => match *sign {
                    "=" => own == number,
                    "!=" => own != number,
                    "<" => own < number,
                    "<=" => own <= number,
                    ">" => own > number,
                    _ => own >= number,
                },
                Json::Text(text) => {
                    let same = *text == number.to_string();
                    (*sign == "=" && same) || (*sign == "!=" && !same)
                }
                Json::Null | Json::True | Json::False | Json::Array(_) | Json::Object(_) => false,
            },
        }
    }
}

/// A text in quotation marks.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ab]", 1 => r#"["\\/é'ab]{0,3}"#]
}

pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![2 => "[ab1]{0,3}", 1 => "-?[0-9]", 1 => r#"[a"\\/é\n😀]{0,4}"#]
}

/// An event: an object or an array.
pub(super) fn event() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        Just(Json::True),
        Just(Json::False),
        (-3..4).prop_map(Json::Number),
        text().prop_map(Json::Text),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            2 => prop::collection::vec((name(), inner), 0..4).prop_map(Json::Object),
        ]
    });
    prop_oneof![
        1 => prop::collection::vec(value.clone(), 0..4).prop_map(Json::Array),
        4 => prop::collection::vec((name(), value), 0..4).prop_map(Json::Object),
    ]
}

/// A pattern with no more wildcards than it may have.
pub(super) fn logic() -> impl Strategy<Value = Logic> {
    let plain = prop_oneof![3 => name().prop_map(Step::Field), 1 => (0..3_usize).prop_map(Step::Element)];
    let wild = prop_oneof![Just(Step::AnyField), Just(Step::AnyElement)];
    let path = prop_oneof![
        3 => prop::collection::vec(plain.clone(), 1..4),
        1 => (prop::collection::vec(plain.clone(), 0..2), wild, prop::collection::vec(plain, 0..2))
            .prop_map(|(before, wild, after)| [before, vec![wild], after].concat()),
    ];
    let signs = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let ask = prop_oneof![
        3 => (any::<bool>(), text(), any::<(bool, bool)>())
            .prop_map(|(equal, text, open)| Ask::Text { equal, text, open }),
        2 => (signs, -3..4).prop_map(|(sign, number)| Ask::Number { sign, number }),
        1 => prop::sample::select(vec!["NULL", "TRUE", "FALSE"]).prop_map(Ask::Is),
        1 => Just(Ask::Absent),
    ];
    let one = (path, ask).prop_map(|(path, ask)| Logic::Ask(path, ask));
    one.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Logic::All),
            prop::collection::vec(inner, 1..3).prop_map(Logic::Any),
        ]
    })
}

/// A part of a regular expression: how it is written, which characters it is, and how often it may come.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub(super) written: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
}

/// Whether a text, or a part of it, is any of these alternatives.
pub(super) fn finds(alternatives: &[Vec<Atom>], text: &[char]) -> bool {
    let mut ways = alternatives
        .iter()
        .flat_map(|alternative| (0..=text.len()).map(move |start| (alternative, start)));
    ways.any(|(alternative, start)| goes_on(alternative, text, start))
}

fn goes_on(atoms: &[Atom], text: &[char], at: usize) -> bool {
    let Some((atom, rest)) = atoms.split_first() else {
        return true;
    };
    match atom.written {
        "^" => return at == 0 && goes_on(rest, text, at),
        "$" => return at == text.len() && goes_on(rest, text, at),
        _ => {}
    }
    let fits = text[at..]
        .iter()
        .take_while(|letter| is_one(atom.written, **letter))
        .count();
    (atom.least..=atom.most.min(fits)).any(|times| goes_on(rest, text, at + times))
}

fn is_one(written: &str, letter: char) -> bool {
    match written {
        "." => true,
        r"\d" => letter.is_ascii_digit(),
        r"\D" => !letter.is_ascii_digit(),
        r"\w" => letter.is_ascii_alphanumeric() || letter == '_',
        r"\W" => !letter.is_ascii_alphanumeric() && letter != '_',
        r"\s" => letter.is_ascii_whitespace() || letter == '\u{b}',
        "[ab]" => "ab".contains(letter),
        "[^a-z]" => !letter.is_ascii_lowercase(),
        r"[\]\D]" => !letter.is_ascii_digit(),
        r"\." => letter == '.',
        r"\x41" => letter == 'A',
        other => other.chars().eq([letter]),
    }
}

pub(super) fn expression() -> impl Strategy<Value = Vec<Vec<Atom>>> {
    let written = prop::sample::select(vec![
        "a", "b", "a", "b", "1", "_", "-", ".", r"\d", r"\D", r"\w", r"\W", r"\s", "[ab]", "[^a-z]",
        r"[\]\D]", r"\.", r"\x41", "^", "$",
    ]);
    let times = prop_oneof![3 => Just((1, 1)), 2 => (0..3_usize, 0..3_usize)];
    let atom = (written, times).prop_map(|(written, (least, more))| {
        let anchor = matches!(written, "^" | "$");
        Atom {
            written,
            least: if anchor { 1 } else { least },
            most: match more {
                _ if anchor => 1,
                2 => usize::MAX,
                more => least.max(1) + more - usize::from(least == 1 && more == 1),
            },
        }
    });
    prop::collection::vec(prop::collection::vec(atom, 1..5), 1..3)
}

/// An expression as a pattern has it, one quantity in any of its forms.
pub(super) fn print_expression(alternatives: &[Vec<Atom>]) -> String {
    let print = |atom: &Atom| {
        let times = match (atom.least, atom.most) {
            (1, 1) => String::new(),
            (0, 1) => "?".to_owned(),
            (0, usize::MAX) => "*".to_owned(),
            (1, usize::MAX) => "+".to_owned(),
            (least, usize::MAX) => format!("{{{least},}}"),
            (0, most) => format!("{{,{most}}}"),
            (least, most) if least == most => format!("{{{least}}}"),
            (least, most) => format!("{{{least}, {most}}}"),
        };
        format!("{}{times}", atom.written)
    };
    let each: Vec<String> = alternatives
        .iter()
        .map(|alternative| alternative.iter().map(print).collect())
        .collect();
    each.join("|")
}
