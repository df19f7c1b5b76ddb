//! The first step: settings as they were typed, each with its place, none understood yet.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use toml::{Table, Value};

use super::resolve::wrong;
use super::settings::STATIC_CREDENTIALS;
use super::{ConfigError, SETTINGS, Setting, TableForm, TableKind};

/// Settings as text, with whatever secret stands there. A flag is stronger than a variable, and a variable stronger than the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    values: BTreeMap<&'static str, Entry>,
    tables: BTreeMap<&'static str, Vec<TypedTable>>,
}

/// One table of the file as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypedTable {
    /// Where it stands, for messages.
    pub(super) place: String,
    /// Its name; empty if it has none.
    pub(super) name: String,
    values: BTreeMap<&'static str, Entry>,
}

impl TypedTable {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.values.get(key)
    }
}

/// One setting as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it stands, for messages.
    pub(super) place: String,
    pub(super) values: Vec<String>,
}

impl Typed {
    /// The flags and variables, for the command line.
    #[must_use]
    pub fn args() -> Vec<Arg> {
        SETTINGS.iter().map(arg).collect()
    }

    /// What stands on the command line and in the environment.
    #[must_use]
    pub fn from_command_line(matches: &ArgMatches) -> Self {
        let mut typed = Self::default();
        for setting in SETTINGS {
            let Some(values) = matches.get_many::<String>(setting.key) else {
                continue;
            };
            let place = match matches.value_source(setting.key) {
                Some(ValueSource::EnvVariable) => setting.variable.to_owned(),
                Some(_) | None => format!("--{}", setting.flag),
            };
            typed.values.insert(
                setting.key,
                Entry {
                    place,
                    values: values.cloned().collect(),
                },
            );
        }
        typed
    }

    /// What stands in a settings file.
    ///
    /// # Errors
    /// [`ConfigError`]: no TOML, a key that is no setting, or a value of a kind that no setting has.
    pub fn from_file(text: &str) -> Result<Self, ConfigError> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ConfigError::Syntax(error.message().to_owned()))?;
        let mut typed = Self::default();
        for (key, value) in &table {
            if let Some(kind) = TableKind::of(key) {
                typed.tables.insert(kind.name, tables(kind, value)?);
                continue;
            }
            match (Setting::of(key), value) {
                (Some(setting), value) => typed.note(setting, value)?,
                (None, Value::Table(section)) if is_section(key) => {
                    for (inner, value) in section {
                        let path = format!("{key}.{inner}");
                        typed.note(Setting::of(&path).ok_or_else(|| unknown(&path))?, value)?;
                    }
                }
                (None, _) => return Err(unknown(key)),
            }
        }
        Ok(typed)
    }

    fn note(&mut self, setting: &'static Setting, value: &Value) -> Result<(), ConfigError> {
        let place = format!("`{}` in the settings file", setting.key);
        let pairs = setting.many && setting.value.contains('=');
        let values = texts(value, (setting.many, pairs), &place)?;
        self.values.insert(setting.key, Entry { place, values });
        Ok(())
    }

    /// These settings, and `weaker` ones where these say nothing.
    #[must_use]
    pub fn over(mut self, weaker: Self) -> Self {
        for (key, entry) in weaker.values {
            self.values.entry(key).or_insert(entry);
        }
        for (kind, tables) in weaker.tables {
            self.tables.entry(kind).or_insert(tables);
        }
        self
    }

    /// The secret that stands on the command line for everybody to see, if one does.
    pub(crate) fn secret_flag(&self) -> Option<&str> {
        let entry = self.get(STATIC_CREDENTIALS)?;
        let flag = entry.place.starts_with("--");
        entry.values.last().filter(|_| flag).map(String::as_str)
    }

    /// Whether a secret stands in these settings, so that not everybody may read the file that they are from.
    pub(crate) fn holds_secret(&self) -> bool {
        self.get(STATIC_CREDENTIALS)
            .is_some_and(|entry| entry.values.iter().any(|value| value != "none"))
    }

    /// The tables of a kind, in the order of their names or as they stand.
    pub(super) fn tables(&self, kind: &str) -> &[TypedTable] {
        self.tables.get(kind).map_or(&[], Vec::as_slice)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.values.get(key)
    }
}

/// A value of the file as text: several if it may have `many`, and `name=value` from a table if those are `pairs`.
fn texts(value: &Value, (many, pairs): (bool, bool), place: &str) -> Result<Vec<String>, ConfigError> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err(wrong(place, &"expected a text or a whole number"))
        }
    };
    match value {
        Value::Array(items) if many => items.iter().map(scalar).collect(),
        Value::Table(entries) if pairs => {
            let pair =
                |(name, value): (&String, &Value)| scalar(value).map(|value| format!("{name}={value}"));
            entries.iter().map(pair).collect()
        }
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => Ok(vec![scalar(value)?]),
    }
}

/// All tables of one kind.
fn tables(kind: &'static TableKind, value: &Value) -> Result<Vec<TypedTable>, ConfigError> {
    let place = format!("`{}` in the settings file", kind.name);
    match (kind.form, value) {
        (TableForm::Named(_), Value::Table(named)) => named
            .iter()
            .map(|(name, value)| {
                let place = format!("`{}.{name}` in the settings file", kind.name);
                table(kind, (place, name.clone()), value)
            })
            .collect(),
        (TableForm::Listed, Value::Array(items)) => (1_usize..)
            .zip(items)
            .map(|(number, value)| {
                let place = format!("the {number}. `[[{}]]` in the settings file", kind.name);
                table(kind, (place, String::new()), value)
            })
            .collect(),
        (TableForm::Named(_), _) => Err(wrong(&place, &"expected tables with a name each")),
        (TableForm::Listed, _) => Err(wrong(&place, &"expected an array of tables")),
    }
}

fn table(
    kind: &'static TableKind,
    (place, name): (String, String),
    value: &Value,
) -> Result<TypedTable, ConfigError> {
    let Value::Table(entries) = value else {
        return Err(wrong(&place, &"expected a table"));
    };
    let mut values = BTreeMap::new();
    for (key, value) in entries {
        let path = || format!("{}.{key}", kind.name);
        let Some(known) = kind.key(key) else {
            return Err(ConfigError::Unknown {
                key: path(),
                nearest: kind.nearest(key).map(|near| format!("{}.{near}", kind.name)),
            });
        };
        let place = format!("`{key}` of {place}");
        let values_of = texts(value, (known.many, false), &place)?;
        values.insert(
            known.key,
            Entry {
                place,
                values: values_of,
            },
        );
    }
    Ok(TypedTable { place, name, values })
}

fn arg(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.key)
        .long(setting.flag)
        .env(setting.variable)
        .hide_env_values(setting.key == STATIC_CREDENTIALS)
        .value_name(setting.value)
        .help(format!("{} [default: {}]", setting.meaning, setting.default))
        .help_heading(heading(setting.key));
    if setting.many {
        arg.action(ArgAction::Append).value_delimiter(',')
    } else {
        arg.action(ArgAction::Set)
    }
}

/// Under which heading of the help text a setting stands: its section of the file.
fn heading(key: &str) -> &'static str {
    match key.split_once('.').map(|(section, _)| section) {
        None => "What to serve, and where",
        Some("root") => "Root key",
        Some("objects") => "Where objects rest",
        Some("engine") => "Engine",
        Some("bootstrap") => "First start",
        Some("limits") => "What clients may take",
        Some("tls") => "Certificate",
        Some("federation") => "Identity providers",
        Some("log") => "Log",
        Some("dev") => "Development only",
        Some(_) => "Observers",
    }
}

fn is_section(key: &str) -> bool {
    SETTINGS.iter().any(|setting| {
        setting
            .key
            .split_once('.')
            .is_some_and(|(section, _)| section == key)
    })
}

fn unknown(key: &str) -> ConfigError {
    ConfigError::Unknown {
        key: key.to_owned(),
        nearest: Setting::nearest(key).map(str::to_owned),
    }
}
