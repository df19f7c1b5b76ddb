//! Tables of the settings file: what there can be several of, each with settings of its own.
//!
//! They stand in the file only, as no flag could say which of them it means. Like a setting, a key that is not here cannot
//! be set, and docs/configuration.md is compared with it.

/// A kind of table, of which the file can have several.
#[derive(Debug)]
pub struct TableKind {
    /// Its name in the file.
    pub name: &'static str,
    /// How the tables of this kind are told apart.
    pub form: TableForm,
    /// What can be set in one.
    pub keys: &'static [TableKey],
}

/// How tables of one kind are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableForm {
    /// By a name: `[endpoints."vpce-…"]`. The text is what docs put in the name's place.
    Named(&'static str),
    /// By their order: `[[name]]`.
    Listed,
}

/// One key of a table.
#[derive(Debug)]
pub struct TableKey {
    /// Its name.
    pub key: &'static str,
    /// What its value looks like.
    pub value: &'static str,
    /// Whether it can be an array.
    pub many: bool,
    /// Its default, as text; `required` if there is none.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn key(
    key: &'static str,
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> TableKey {
    TableKey {
        key,
        value,
        many: false,
        default,
        meaning,
    }
}

const fn keys(
    key: &'static str,
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> TableKey {
    TableKey {
        key,
        value,
        many: true,
        default,
        meaning,
    }
}

/// Every kind of table.
pub const TABLES: &[TableKind] = &[ENDPOINTS, QUOTAS];

const ENDPOINTS: TableKind = TableKind {
    name: "endpoints",
    form: TableForm::Named("vpce-ID"),
    keys: &[
        key(
            "listen",
            "ADDRESS:PORT or unix:PATH",
            "required",
            "Address or Unix socket of this private endpoint, which serves HTTPS to clients with a certificate",
        ),
        key(
            "vpc",
            "vpc-ID",
            "required",
            "The private network it stands for: `aws:SourceVpc` of what comes in by it",
        ),
        key(
            "client_ca",
            "FILE",
            "required",
            "Authorities of the certificates that clients have to show, in PEM; without one, the handshake fails",
        ),
        keys(
            "accounts",
            "ACCOUNT",
            "the first account",
            "Account that owns the network and the endpoint, and further ones whose principals may come in by it",
        ),
    ],
};

const QUOTAS: TableKind = TableKind {
    name: "quotas",
    form: TableForm::Listed,
    keys: &[
        key(
            "principal",
            "PATTERN",
            "all together",
            "Roles and users by their ARN, where `*` is any characters and `?` one: each is counted apart",
        ),
        key(
            "tag",
            "KEY or KEY=VALUE",
            "any",
            "Principals that have this tag: each value is counted apart",
        ),
        key(
            "model",
            "PATTERN",
            "all together",
            "Models by their id, where `*` is any characters and `?` one: each is counted apart",
        ),
        limit("requests_per_minute", "Requests in any sixty seconds"),
        limit("requests_per_day", "Requests in a day of UTC"),
        limit(
            "input_tokens_per_minute",
            "Tokens of prompts in any sixty seconds",
        ),
        limit("input_tokens_per_day", "Tokens of prompts in a day of UTC"),
        limit(
            "output_tokens_per_minute",
            "Tokens of answers in any sixty seconds",
        ),
        limit("output_tokens_per_day", "Tokens of answers in a day of UTC"),
        limit("tokens_per_minute", "Tokens of both in any sixty seconds"),
        limit("tokens_per_day", "Tokens of both in a day of UTC"),
        limit(
            "concurrent_sequences",
            "Answers that are written, or wait to be, at once",
        ),
    ],
};

const fn limit(name: &'static str, meaning: &'static str) -> TableKey {
    key(name, "COUNT", "none", meaning)
}

impl TableKind {
    /// The kind of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|kind| kind.name == name)
    }

    /// The key of this name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&TableKey> {
        self.keys.iter().find(|key| key.key == name)
    }

    /// The key that is spelled most like `name`, if any is near.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        let near = |key: &TableKey| super::settings::edits(name, key.key);
        let (distance, key) = self.keys.iter().map(|key| (near(key), key.key)).min()?;
        (distance <= 3).then_some(key)
    }

    /// The rows of docs/configuration.md.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let head = match self.form {
            TableForm::Named(name) => format!("[{}.\"{name}\"]", self.name),
            TableForm::Listed => format!("[[{}]]", self.name),
        };
        let row = |key: &TableKey| {
            let repeatable = if key.many { " (repeatable)" } else { "" };
            format!(
                "| `{head}` | `{}` | `{}`{repeatable} | {} | {} |",
                key.key,
                key.value.replace('|', "\\|"),
                key.default,
                key.meaning
            )
        };
        self.keys.iter().map(row).collect()
    }
}
