//! fails: E0277 `Content` doesn't implement `Debug`

pub fn show(prompt: &moho_terms::Content) -> String {
    format!("{prompt:?}")
}
