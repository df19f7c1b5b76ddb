//! fails: E0277 `Content` doesn't implement `std::fmt::Display`

pub fn show(prompt: &moho_terms::Content) -> String {
    format!("{prompt}")
}
