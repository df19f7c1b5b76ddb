//! The settings file: read, printed and read again it says the same.

use moho_server::config::{Config, Surroundings, Typed};

/// The text as a settings file.
pub fn settings(data: &[u8]) {
    let text = super::text(data);
    let Ok(typed) = Typed::from_file(&text) else {
        return;
    };
    let printed = text.parse::<toml::Table>().map(|table| table.to_string());
    let again = Typed::from_file(&printed.unwrap_or_default());
    assert!(
        again.is_ok_and(|again| again == typed),
        "a file printed says the same"
    );
    let surroundings = Surroundings {
        cores: 2,
        data_home: Some("/home/me/.local/share".into()),
    };
    if let Err(error) = Config::resolve(&typed, &surroundings) {
        let told = error.to_string();
        assert!(!told.is_empty() && told.len() < 4096 + text.len().saturating_mul(8));
    }
}
