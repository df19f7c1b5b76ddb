//! Settings from every place, and what is refused.

use super::*;
use clap::Command;

fn surroundings() -> Surroundings {
    Surroundings {
        cores: 6,
        data_home: Some(PathBuf::from("/home/somebody/.local/share")),
    }
}

fn typed(words: &[&str]) -> Typed {
    let command = Command::new("moho").no_binary_name(true).args(Typed::args());
    Typed::from_command_line(&command.try_get_matches_from(words).unwrap())
}

fn resolve(typed: &Typed) -> Result<Config, String> {
    Config::resolve(typed, &surroundings()).map_err(|error| error.to_string())
}

fn error_of(file: &str) -> String {
    match Typed::from_file(file) {
        Ok(typed) => resolve(&typed).err().unwrap(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn defaults_are_those_of_the_table() {
    let config = resolve(&Typed::default()).unwrap();
    assert_eq!(config.data, PathBuf::from("/home/somebody/.local/share/moho"));
    assert_eq!(
        (config.listen[0].to_string().as_str(), config.region.as_str()),
        ("127.0.0.1:8443", "us-east-1")
    );
    assert_eq!(
        (config.threads, config.engine.kv_bytes, config.limits.body),
        (6, 256 << 20, 10 << 20)
    );
    let said: Vec<(&str, String)> = vec![
        ("engine.sequences", config.engine.max_sequences.to_string()),
        ("engine.queue", config.engine.queue.to_string()),
        (
            "limits.body_memory",
            format!("{}MiB", config.limits.body_memory >> 20),
        ),
        ("limits.connections", config.limits.connections.to_string()),
        ("limits.streams", config.limits.streams.to_string()),
        ("limits.idle_seconds", config.limits.idle.as_secs().to_string()),
        (
            "limits.body_seconds",
            config.limits.body_wait.as_secs().to_string(),
        ),
        ("limits.drain_seconds", config.limits.drain.as_secs().to_string()),
        ("limits.stall_seconds", config.limits.stall.as_secs().to_string()),
    ];
    for (key, value) in said {
        assert_eq!(Setting::of(key).unwrap().default, value, "{key}");
    }
}

#[test]
fn a_flag_is_stronger_than_the_file() {
    let file = Typed::from_file("region = 'eu-west-1'\nlisten = ['0.0.0.0:1', '[::]:2']\n[engine]\nthreads = 3\n[models]\na = '/m/a.gguf'\n").unwrap();
    let config =
        resolve(&typed(&["--threads", "2", "--model", "b=/m/b.gguf", "--model=c=/m/c.gguf"]).over(file))
            .unwrap();
    assert_eq!(
        (config.threads, config.region.as_str(), config.listen.len()),
        (2, "eu-west-1", 2)
    );
    let names: Vec<&str> = config.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn a_file_can_say_what_a_flag_can() {
    let file = "listen = '127.0.0.1:0'\n[models]\n'smollm2-135m' = 'm.gguf'\n[limits]\nbody = '1MiB'\nbody_memory = 1048576\n[bootstrap]\ngrants = ['smollm2-135m']\n[log]\nformat = 'json'\n";
    let config = resolve(&Typed::from_file(file).unwrap()).unwrap();
    assert_eq!(
        (config.limits.body, config.limits.body_memory),
        (1 << 20, 1 << 20)
    );
    assert_eq!(
        config.models,
        [ModelFile {
            id: "smollm2-135m".parse().unwrap(),
            path: PathBuf::from("m.gguf")
        }]
    );
    assert_eq!(config.bootstrap_grants.len(), 1);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn unknown_settings_are_refused_with_a_hint() {
    assert!(error_of("lisen = 'x'").ends_with("did you mean `listen`?"));
    assert!(error_of("[engine]\nthread = 1").ends_with("did you mean `engine.threads`?"));
    assert!(error_of("threads = 1").ends_with("did you mean `engine.threads`?"));
    assert!(error_of("disable_authentication = 'yes'").contains("docs/configuration.md"));
    assert!(error_of("[nothing]\nx = 1").contains("`nothing`"));
}

#[test]
fn values_that_cannot_be_are_refused_with_their_place() {
    for (file, place) in [
        ("listen = 'localhost'", "`listen`"),
        ("region = 'No Region'", "`region`"),
        ("models = ['nameless.gguf']", "`models`"),
        ("models = ['a=1.gguf', 'a=2.gguf']", "same name"),
        ("[engine]\nthreads = 0", "`engine.threads`"),
        ("[engine]\nkv_memory = '1TB'", "`engine.kv_memory`"),
        ("[engine]\nthreads = true", "whole number"),
        ("[limits]\nbody = '200MiB'", "at least one body"),
        ("[tls]\nkey = 'k.pem'", "belong together"),
        ("[tls]\nnames = ['a b']", "`tls.names`"),
        ("[log]\nformat = 'xml'", "`log.format`"),
        ("listen = ", "not valid TOML"),
        ("region = 'a'\nregion = 'b'", "not valid TOML"),
    ] {
        assert!(error_of(file).contains(place), "{file}: {}", error_of(file));
    }
}

#[test]
fn the_generated_certificate_has_every_name_once() {
    let config = resolve(&typed(&[
        "--listen",
        "127.0.0.1:1,10.1.2.3:1,0.0.0.0:2",
        "--tls-name",
        "Moho.example",
    ]))
    .unwrap();
    let TlsConfig::Generated(names) = config.tls else {
        panic!("not generated")
    };
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        ["localhost", "moho.example", "10.1.2.3", "127.0.0.1", "::1"]
    );
}

#[test]
fn the_table_is_consistent_and_documented() {
    let page = include_str!("../../../../docs/configuration.md");
    for setting in SETTINGS {
        assert_eq!(
            SETTINGS
                .iter()
                .filter(|s| s.key == setting.key || s.flag == setting.flag || s.variable == setting.variable)
                .count(),
            1
        );
        assert!(
            page.contains(&setting.row()),
            "docs/configuration.md lacks this row:\n{}",
            setting.row()
        );
    }
    let rows: Vec<String> = TABLES.iter().flat_map(TableKind::rows).collect();
    for row in &rows {
        assert!(page.contains(row), "docs/configuration.md lacks this row:\n{row}");
    }
    assert_eq!(
        page.lines().filter(|line| line.starts_with("| `")).count(),
        SETTINGS.len() + rows.len(),
        "a row of a setting that is gone"
    );
    for kind in TABLES {
        let clash = |setting: &&Setting| setting.key.split('.').next() == Some(kind.name);
        assert!(SETTINGS.iter().find(clash).is_none(), "{}", kind.name);
    }
}

const ENDPOINT: &str = "[endpoints.vpce-0a1b2c3d4e5f60718]
listen = '10.0.0.5:8443'
vpc = 'vpc-0a1b2c3d'
client_ca = '/etc/moho/clients.pem'
";

#[test]
fn private_endpoints_are_tables_of_the_file() {
    let file = format!(
        "listen = []\n{ENDPOINT}accounts = ['123456789012', '210987654321']\n\
         [endpoints.\"vpce-0a1b2c3d\"]\nlisten = 'unix:/run/moho/private.sock'\nvpc = 'vpc-1a1b2c3d'\nclient_ca = 'c.pem'\n"
    );
    let config = resolve(&Typed::from_file(&file).unwrap()).unwrap();
    assert!(config.listen.is_empty(), "there is no public listener");
    let [socket, address] = config.endpoints.as_slice() else {
        panic!("{:?}", config.endpoints)
    };
    assert_eq!(socket.listen, Place::Socket("/run/moho/private.sock".into()));
    assert!(socket.accounts.is_empty(), "the first account's");
    assert_eq!(address.listen, Place::Address("10.0.0.5:8443".parse().unwrap()));
    assert_eq!(
        (address.id.as_str(), address.vpc.as_str(), address.accounts.len()),
        ("vpce-0a1b2c3d4e5f60718", "vpc-0a1b2c3d", 2)
    );
    assert_eq!(address.client_ca, PathBuf::from("/etc/moho/clients.pem"));
    let TlsConfig::Generated(names) = config.tls else {
        panic!("not generated")
    };
    assert!(names.iter().any(|name| name.to_string() == "10.0.0.5"));
}

#[test]
fn endpoints_that_cannot_be_are_refused_with_their_place() {
    let second = ENDPOINT.replace("vpce-0a1b2c3d4e5f60718", "vpce-0a1b2c3d");
    for (file, place) in [
        (ENDPOINT.replace("vpce-0a", "vpce-XX"), "17 hexadecimal digits"),
        (
            ENDPOINT.replace("vpc-0a1b2c3d", "vpc-0"),
            "`vpc` of `endpoints.vpce-0a1b2c3d4e5f60718`",
        ),
        (
            ENDPOINT.replace("10.0.0.5:8443", "unix:relative"),
            "absolute path",
        ),
        (ENDPOINT.replace("10.0.0.5:8443", "10.0.0.5"), "ADDRESS:PORT"),
        (
            ENDPOINT.replace("client_ca", "client_cas"),
            "did you mean `endpoints.client_ca`?",
        ),
        (
            ENDPOINT.replace("client_ca = '/etc/moho/clients.pem'", ""),
            "`client_ca` is required",
        ),
        (format!("{ENDPOINT}accounts = ['1']"), "12 digits"),
        (format!("{ENDPOINT}accounts = [true]"), "`accounts` of"),
        (format!("{ENDPOINT}{second}"), "same `listen`"),
        (
            format!(
                "{ENDPOINT}{}accounts = ['123456789012']",
                second.replace(":8443", ":8444")
            ),
            "one owner",
        ),
        ("endpoints = 'x'".to_owned(), "a name each"),
        ("[endpoints]\n'vpce-0a1b2c3d' = 1".to_owned(), "expected a table"),
        ("listen = []".to_owned(), "nobody could reach moho"),
        ("listen = ['none', '127.0.0.1:1']".to_owned(), "not both"),
    ] {
        assert!(error_of(&file).contains(place), "{file}: {}", error_of(&file));
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let plain = |address: &str| resolve(&typed(&["--dev-plain-http", address]));
    assert_eq!(plain("127.0.0.1:8080").unwrap().plain_http.unwrap().port(), 8080);
    assert!(plain("[::1]:0").is_ok() && plain("127.8.8.8:1").is_ok());
    assert!(plain("none").unwrap().plain_http.is_none());
    for refused in [
        "0.0.0.0:8080",
        "10.0.0.5:8080",
        "[::]:8080",
        "[::ffff:10.0.0.5]:1",
        "localhost:8080",
    ] {
        let said = plain(refused).err().unwrap();
        assert!(
            said.contains("--dev-plain-http") && said.contains("loopback"),
            "{refused}: {said}"
        );
    }
    let only = resolve(&typed(&["--listen", "none", "--dev-plain-http", "127.0.0.1:0"])).unwrap();
    assert!(only.listen.is_empty());
}

#[test]
fn nobody_observes_until_told() {
    let config = resolve(&Typed::default()).unwrap();
    assert!(config.metrics.is_none() && config.otlp.is_none());
    let told = typed(&[
        "--metrics-listen",
        "127.0.0.1:9464",
        "--otlp-endpoint",
        "https://collector",
        "--otlp-share",
        "0.25",
    ]);
    let config = resolve(&told).unwrap();
    assert_eq!(config.metrics.unwrap().port(), 9464);
    assert_eq!(config.otlp.unwrap().share, 0.25);
    let off = resolve(&typed(&["--metrics-listen", "none", "--otlp-endpoint", "none"])).unwrap();
    assert!(off.metrics.is_none() && off.otlp.is_none());
}

#[test]
fn a_collector_is_named_as_other_programs_name_it() {
    let of = |url: &str| resolve(&typed(&["--otlp-endpoint", url])).map(|config| config.otlp.unwrap());
    for (url, tls, authority, path) in [
        ("http://localhost:4318", false, "localhost:4318", "/v1/traces"),
        ("https://collector/", true, "collector:443", "/v1/traces"),
        ("http://[::1]:9/otlp/", false, "[::1]:9", "/otlp/v1/traces"),
        (
            "https://a.example:1/x/v1/traces",
            true,
            "a.example:1",
            "/x/v1/traces",
        ),
    ] {
        let found = of(url).unwrap();
        assert_eq!(
            (found.tls, found.authority().as_str(), found.path.as_str()),
            (tls, authority, path)
        );
    }
    for bad in [
        "collector:4318",
        "grpc://collector:4317",
        "https://user:secret@collector",
        "https://collector?key=secret",
        "/v1/traces",
        "",
    ] {
        let said = of(bad).unwrap_err();
        assert!(
            said.contains("expected a URL") && !said.contains("secret"),
            "{said}"
        );
    }
    for bad in ["1.5", "2", "NaN", "half"] {
        assert!(resolve(&typed(&["--otlp-share", bad])).is_err(), "{bad}");
    }
}

#[test]
fn one_peer_gets_half_of_the_connections_unless_it_is_told_otherwise() {
    let limits = |words: &[&str]| resolve(&typed(words)).unwrap().limits;
    assert_eq!(limits(&[]).connections_per_peer, 2048);
    assert_eq!(limits(&["--max-connections", "1"]).connections_per_peer, 1);
    let said = limits(&["--max-connections", "10", "--max-peer-connections", "9"]);
    assert_eq!((said.connections, said.connections_per_peer), (10, 9));
}

#[test]
fn fixed_credentials_are_for_loopback_addresses_and_shown_nowhere() {
    let config = resolve(&typed(&[
        "--dev-static-credentials",
        "test:se:cret/+:123456789012",
    ]))
    .unwrap();
    let fixed = config.static_credentials.unwrap();
    assert_eq!(
        (fixed.id.as_str(), fixed.account.as_str()),
        ("test", "123456789012")
    );
    assert_eq!(fixed.secret.expose(), b"se:cret/+");
    assert!(resolve(&Typed::default()).unwrap().static_credentials.is_none());
    assert!(
        resolve(&typed(&["--dev-static-credentials", "none"]))
            .unwrap()
            .static_credentials
            .is_none()
    );
    for listen in [
        "0.0.0.0:8443",
        "[::]:8443",
        "192.0.2.1:8443",
        "127.0.0.1:8443,10.0.0.1:8443",
    ] {
        let error = resolve(&typed(&[
            "--listen",
            listen,
            "--dev-static-credentials",
            "test:hidden:123456789012",
        ]));
        let error = error.err().unwrap();
        assert!(error.contains("loopback") && !error.contains("hidden"), "{error}");
    }
    for text in [
        "",
        "hidden",
        "id:hidden",
        "id::123456789012",
        "i:hidden:123456789012",
        "id/x:hidden:123456789012",
        "test:hidden hidden:123456789012",
        "test:hidden:12345678901",
        "test:hidden:12345678901\u{0662}",
    ] {
        let error = resolve(&typed(&["--dev-static-credentials", text]))
            .err()
            .unwrap();
        assert!(
            error.contains("ID:SECRET:ACCOUNT") && !error.contains("hidden"),
            "{error}"
        );
    }
}

#[test]
fn fixed_credentials_are_known_where_they_stand_and_do_not_go_with_sockets() {
    let on_the_line = typed(&["--dev-static-credentials=test:hidden:123456789012"]);
    assert_eq!(on_the_line.secret_flag(), Some("test:hidden:123456789012"));
    let in_the_file = Typed::from_file("[dev]\nstatic_credentials = 'test:hidden:123456789012'").unwrap();
    assert_eq!(in_the_file.secret_flag(), None);
    assert!(in_the_file.holds_secret());
    let none = Typed::from_file("[dev]\nstatic_credentials = 'none'").unwrap();
    assert!(!none.holds_secret() && !Typed::default().holds_secret());
    let socket = "[dev]\nstatic_credentials = 'test:hidden:123456789012'\n[tls]\ncertificate = 'a'\nkey = 'b'\n\
        [endpoints.\"vpce-0a1b2c3d\"]\nlisten = 'unix:/run/moho/private.sock'\nvpc = 'vpc-1a1b2c3d'\nclient_ca = 'c.pem'\n";
    let error = resolve(&Typed::from_file(socket).unwrap()).err().unwrap();
    assert!(error.contains("unix:") && !error.contains("hidden"), "{error}");
    assert!(resolve(&in_the_file).unwrap().static_credentials.is_some());
}
