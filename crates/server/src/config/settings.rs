//! The one table of settings. The command line, the environment, the file, the help text and docs/configuration.md are
//! all made from it or compared with it. What there can be several of, each with settings of its own, stands in tables
//! of the file only: see [`TABLES`](super::tables::TABLES).

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the settings file.
    pub key: &'static str,
    /// Its flag, without the hyphens.
    pub flag: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// What its value looks like.
    pub value: &'static str,
    /// Whether it can be given more than once (separated by commas in the variable, an array or table in the file).
    pub many: bool,
    /// Its default, as text.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn one(
    names: [&'static str; 3],
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    let [key, flag, variable] = names;
    Setting {
        key,
        flag,
        variable,
        value,
        many: false,
        default,
        meaning,
    }
}

const fn many(
    names: [&'static str; 3],
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    let [key, flag, variable] = names;
    Setting {
        key,
        flag,
        variable,
        value,
        many: true,
        default,
        meaning,
    }
}

/// Every setting. Whatever is not here cannot be set.
pub const SETTINGS: &[Setting] = &[
    one(
        ["data", "data", "MOHO_DATA"],
        "DIR",
        "`moho` in $XDG_DATA_HOME or ~/.local/share",
        "Directory that holds everything moho keeps, but for what `store` names; one running moho per directory",
    ),
    one(
        ["store", "store-dir", "MOHO_STORE_DIR"],
        "DIR",
        "the data directory",
        "Directory that holds the root key and the store, which several running moho of one machine may share, each with a data directory of its own",
    ),
    many(
        ["listen", "listen", "MOHO_LISTEN"],
        "ADDRESS:PORT",
        "127.0.0.1:8443",
        "Address to serve HTTPS on, for everybody; port 0 takes any free port; none (`[]` in the file): private endpoints only",
    ),
    one(
        ["region", "region", "MOHO_REGION"],
        "NAME",
        "us-east-1",
        "Region in resource names and signatures; the default is the one that AWS tools assume",
    ),
    one(
        ["root.file", "root-file", "MOHO_ROOT_FILE"],
        "FILE",
        "`root.key` in the data directory",
        "File with the root key, under which all keys are; what protects it stands in it (`moho root --help`)",
    ),
    one(
        [
            "root.passphrase_file",
            "root-passphrase-file",
            "MOHO_ROOT_PASSPHRASE_FILE",
        ],
        "FILE",
        "asked for at the terminal",
        "File with the passphrase of the root key, if one protects it; a new root key is put under it",
    ),
    many(
        ["root.shares_files", "root-shares-file", "MOHO_ROOT_SHARES_FILES"],
        "FILE",
        "asked for at the terminal",
        "File with shares of the root key, one a line, if shares protect it",
    ),
    one(
        ["tpm", "tpm", "MOHO_TPM"],
        "DEVICE|SOCKET",
        "none",
        "TPM 2.0 that vouches for this host in `/.well-known/moho/attestation`: /dev/tpmrm0, or the Unix socket of a simulator, \
         which proves nothing",
    ),
    many(
        ["models", "model", "MOHO_MODELS"],
        "ID=FILE",
        "none",
        "Model to load: its name on every API, and its GGUF file (a table in the settings file)",
    ),
    one(
        ["dev.plain_http", "dev-plain-http", "MOHO_DEV_PLAIN_HTTP"],
        "ADDRESS:PORT",
        "none",
        "Address to serve plain HTTP on, for tools on this machine: loopback only, and under the development root only",
    ),
    one(
        ["engine.threads", "threads", "MOHO_THREADS"],
        "COUNT",
        "one per processor core",
        "Threads that compute",
    ),
    one(
        ["engine.kv_memory", "kv-memory", "MOHO_KV_MEMORY"],
        "BYTES",
        "256MiB",
        "Memory of each model for the attention keys and values of running sequences",
    ),
    one(
        ["engine.sequences", "sequences", "MOHO_SEQUENCES"],
        "COUNT",
        "32",
        "Sequences of one model that run at once",
    ),
    one(
        ["engine.queue", "queue", "MOHO_QUEUE"],
        "COUNT",
        "512",
        "Sequences of one model that may wait, half of them of one account; more are refused",
    ),
    many(
        ["bootstrap.grants", "bootstrap-grant", "MOHO_BOOTSTRAP_GRANTS"],
        "ID",
        "none",
        "Model that the first account is granted, as long as no identity provider is set; without a grant, every call is denied",
    ),
    one(
        ["limits.body", "body-limit", "MOHO_BODY_LIMIT"],
        "BYTES",
        "10MiB",
        "Size of a request's body",
    ),
    one(
        ["limits.body_memory", "body-memory", "MOHO_BODY_MEMORY"],
        "BYTES",
        "128MiB",
        "Memory for the bodies of all requests in progress, and twice as much for what is in memory of S3's; more are asked to come again",
    ),
    one(
        ["limits.connections", "max-connections", "MOHO_MAX_CONNECTIONS"],
        "COUNT",
        "4096",
        "Connections at once; more take the places of idle ones, or are closed. Fewer if the system allows fewer open files",
    ),
    one(
        [
            "limits.connections_per_peer",
            "max-peer-connections",
            "MOHO_MAX_PEER_CONNECTIONS",
        ],
        "COUNT",
        "half of `limits.connections`",
        "Connections at once from one address (IPv6: one /64 network). Raise it behind a proxy",
    ),
    one(
        ["limits.requests", "max-requests", "MOHO_MAX_REQUESTS"],
        "COUNT",
        "2048",
        "Requests in progress at once, one address having the same share as of connections; more are asked to come again",
    ),
    one(
        ["limits.streams", "max-streams", "MOHO_MAX_STREAMS"],
        "COUNT",
        "128",
        "Requests at once on one HTTP/2 connection",
    ),
    one(
        ["limits.idle_seconds", "idle-seconds", "MOHO_IDLE_SECONDS"],
        "SECONDS",
        "75",
        "Time after which a connection without requests is closed",
    ),
    one(
        ["limits.body_seconds", "body-seconds", "MOHO_BODY_SECONDS"],
        "SECONDS",
        "60",
        "Time in which a request's body has to arrive",
    ),
    one(
        ["limits.stall_seconds", "stall-seconds", "MOHO_STALL_SECONDS"],
        "SECONDS",
        "60",
        "Time after which a client that takes nothing of its reply is cut off",
    ),
    one(
        ["limits.drain_seconds", "drain-seconds", "MOHO_DRAIN_SECONDS"],
        "SECONDS",
        "30",
        "Time that requests in progress get to end when moho stops",
    ),
    one(
        ["tls.certificate", "tls-certificate", "MOHO_TLS_CERTIFICATE"],
        "FILE",
        "generated",
        "Certificate chain to show, in PEM; without it, moho generates an authority (`ca.pem`) and a certificate",
    ),
    one(
        ["tls.key", "tls-key", "MOHO_TLS_KEY"],
        "FILE",
        "generated",
        "Private key of the certificate, in PEM",
    ),
    many(
        ["tls.names", "tls-name", "MOHO_TLS_NAMES"],
        "NAME",
        "none",
        "Host name or address for the generated certificate, besides localhost and the listening addresses; `*.NAME` is for all right below a name",
    ),
    one(
        ["log.format", "log-format", "MOHO_LOG_FORMAT"],
        "human|json",
        "human",
        "Form of the log on standard error",
    ),
    one(
        ["log.filter", "log", "MOHO_LOG"],
        "FILTER",
        "info",
        "What to log: error, warn, info, debug, or filters such as moho_server=debug; never any content",
    ),
    one(
        ["metrics.listen", "metrics-listen", "MOHO_METRICS_LISTEN"],
        "ADDRESS:PORT",
        "none",
        "Address to serve /metrics, /healthz and /readyz on, in plain HTTP and to everybody; 127.0.0.1:9464 is usual",
    ),
    one(
        ["otlp.endpoint", "otlp-endpoint", "MOHO_OTLP_ENDPOINT"],
        "URL",
        "none",
        "Collector to send traces to, by OTLP over HTTP (`/v1/traces` is added): https://collector:4318; never any content",
    ),
    one(
        ["otlp.ca", "otlp-ca", "MOHO_OTLP_CA"],
        "FILE",
        "the system's",
        "Authorities to trust for the collector's certificate, in PEM",
    ),
    one(
        ["otlp.share", "otlp-share", "MOHO_OTLP_SHARE"],
        "SHARE",
        "1",
        "Share of the traces to record that begin here, from 0 to 1; a request that names its trace follows its caller",
    ),
    many(
        [
            "federation.issuers",
            "federation-issuer",
            "MOHO_FEDERATION_ISSUERS",
        ],
        "URL",
        "none",
        "OpenID Connect issuer whose identity tokens are taken, to the letter: https://login.example.com/realm; moho fetches its keys from there",
    ),
    many(
        [
            "federation.key_hosts",
            "federation-key-host",
            "MOHO_FEDERATION_KEY_HOSTS",
        ],
        "HOST[:PORT]",
        "none",
        "Further host that these issuers may keep their keys on (`jwks_uri`); nobody else is ever asked for any",
    ),
    one(
        ["federation.ca", "federation-ca", "MOHO_FEDERATION_CA"],
        "FILE",
        "the system's",
        "Authorities to trust for the certificates of issuers and key hosts, in PEM",
    ),
    many(
        ["audit.witnesses", "audit-witness", "MOHO_AUDIT_WITNESSES"],
        "KEY@URL",
        "none",
        "Witness of the transparency log: its key, NAME+ID+KEY, and where it is asked, https://…; it is sent each checkpoint, one in ten seconds",
    ),
    one(
        [
            "audit.delivery_seconds",
            "audit-delivery-seconds",
            "MOHO_AUDIT_DELIVERY_SECONDS",
        ],
        "SECONDS",
        "300",
        "Time between two log files of a trail, 1 to 900",
    ),
    one(
        [
            "audit.digest_seconds",
            "audit-digest-seconds",
            "MOHO_AUDIT_DIGEST_SECONDS",
        ],
        "SECONDS",
        "3600",
        "Time between two digests of a trail, 1 to 3600",
    ),
    one(
        ["audit.ca", "audit-ca", "MOHO_AUDIT_CA"],
        "FILE",
        "the system's",
        "Authorities to trust for the certificates of witnesses, in PEM",
    ),
    one(
        ["objects.url", "objects-url", "MOHO_OBJECTS_URL"],
        "URL",
        "none",
        "Bucket where the bytes of objects rest, sealed, and what its keys begin with: s3://bucket/prefix; without it, they are files of the store",
    ),
    one(
        ["objects.endpoint", "objects-endpoint", "MOHO_OBJECTS_ENDPOINT"],
        "URL",
        "AWS's of the region",
        "S3 service that has the bucket: https://s3.example.com:9000; http:// for one on this machine only",
    ),
    one(
        [
            "objects.addressing",
            "objects-addressing",
            "MOHO_OBJECTS_ADDRESSING",
        ],
        "path|host",
        "path with `objects.endpoint`, else host",
        "Where the bucket's name stands in URLs: in their path, or before their host",
    ),
    one(
        ["objects.region", "objects-region", "MOHO_OBJECTS_REGION"],
        "NAME",
        "`region`",
        "Region of the bucket",
    ),
    one(
        [
            "objects.credentials_file",
            "objects-credentials-file",
            "MOHO_OBJECTS_CREDENTIALS_FILE",
        ],
        "FILE",
        "none",
        "File with the access key for the bucket, as AWS's tools have it (`aws_access_key_id`, `aws_secret_access_key`, perhaps `aws_session_token`); nobody but moho's user may read it, and it is read again when it changes",
    ),
    one(
        ["objects.ca", "objects-ca", "MOHO_OBJECTS_CA"],
        "FILE",
        "the system's",
        "Authorities to trust for the certificate of the S3 service, in PEM",
    ),
    one(
        ["dev.nitro_root", "dev-nitro-root", "MOHO_DEV_NITRO_ROOT"],
        "FILE",
        "none",
        "Certificate in PEM that attestation documents of tests are issued under, taken instead of AWS's root wherever KMS is \
         given one. Only under the development root of trust, and only if every address to serve on is a loopback one",
    ),
    one(
        [
            STATIC_CREDENTIALS,
            "dev-static-credentials",
            "MOHO_DEV_STATIC_CREDENTIALS",
        ],
        "ID:SECRET:ACCOUNT",
        "none",
        "Fixed credentials that act as the role Admin of the account, for local tools that can send no others. Only under the \
         development root of trust, and only if every address to serve on is a loopback one",
    ),
];

/// The one setting that holds a secret: its value is shown nowhere.
pub(super) const STATIC_CREDENTIALS: &str = "dev.static_credentials";

impl Setting {
    /// The setting of a key.
    #[must_use]
    pub fn of(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The key that is spelled most like `key`, if any is near.
    #[must_use]
    pub fn nearest(key: &str) -> Option<&'static str> {
        let leaf = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let distance = |setting: &Self| edits(key, setting.key).min(edits(&leaf(key), &leaf(setting.key)));
        let (distance, setting) = SETTINGS
            .iter()
            .map(|s| (distance(s), s))
            .min_by_key(|(d, _)| *d)?;
        (distance <= 3).then_some(setting.key)
    }

    /// The setting's row in docs/configuration.md.
    #[must_use]
    pub fn row(&self) -> String {
        let repeatable = if self.many { " (repeatable)" } else { "" };
        format!(
            "| `{}` | `--{} {}`{repeatable} | `{}` | {} | {} |",
            self.key,
            self.flag,
            self.value.replace('|', "\\|"),
            self.variable,
            self.default,
            self.meaning
        )
    }
}

/// Levenshtein's distance: how many letters have to be put in, taken out or changed.
pub(super) fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in (1..).zip(one.chars()) {
        let mut next = vec![i];
        let (mut left, mut diagonal) = (i, i - 1);
        for (above, b) in row.iter().skip(1).zip(other.chars()) {
            left = (left + 1).min(*above + 1).min(diagonal + usize::from(a != b));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
