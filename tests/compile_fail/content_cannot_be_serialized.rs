//! fails: E0277 the trait bound `Content: serde::Serialize` is not satisfied

fn write<T: serde::Serialize>(_: &T) {}

pub fn store(prompt: &moho_terms::Content) {
    write(prompt);
}
