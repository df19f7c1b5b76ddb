//! The first step: settings as they were typed, each with its place, none understood yet.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use toml::{Table, Value};

use super::{ConfigError, SETTINGS, Setting};

/// Settings as text. A flag is stronger than a variable, and a variable stronger than the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    values: BTreeMap<&'static str, Entry>,
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
        let wrong = |problem: &str| ConfigError::Value {
            place: place.clone(),
            problem: problem.to_owned(),
        };
        let scalar = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Integer(number) => Ok(number.to_string()),
            Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                Err(wrong("expected a text or a whole number"))
            }
        };
        let values = match value {
            Value::Array(items) if setting.many => items.iter().map(scalar).collect::<Result<_, _>>()?,
            Value::Table(pairs) if setting.many && setting.value.contains('=') => {
                let pair =
                    |(name, value): (&String, &Value)| scalar(value).map(|value| format!("{name}={value}"));
                pairs.iter().map(pair).collect::<Result<_, _>>()?
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => vec![scalar(value)?],
        };
        self.values.insert(setting.key, Entry { place, values });
        Ok(())
    }

    /// These settings, and `weaker` ones where these say nothing.
    #[must_use]
    pub fn over(mut self, weaker: Self) -> Self {
        for (key, entry) in weaker.values {
            self.values.entry(key).or_insert(entry);
        }
        self
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.values.get(key)
    }
}

fn arg(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.key)
        .long(setting.flag)
        .env(setting.variable)
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
        Some("engine") => "Engine",
        Some("bootstrap") => "First start",
        Some("limits") => "What clients may take",
        Some("tls") => "Certificate",
        Some("federation") => "Identity providers",
        Some("log") => "Log",
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
