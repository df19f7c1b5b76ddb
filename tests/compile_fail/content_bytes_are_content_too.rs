//! fails: E0277 `ContentBytes` doesn't implement `std::fmt::Display`
//! fails: E0277 `ContentBytes` doesn't implement `Debug`
//! fails: E0277 the trait bound `ContentBytes: serde::Serialize` is not satisfied
//! fails: E0277 the trait bound `ContentBytes: Clone` is not satisfied

fn write<T: serde::Serialize>(_: &T) {}

fn copy<T: Clone>(_: &T) {}

pub fn leak(file: &moho_terms::ContentBytes) {
    let _ = format!("{file}");
    let _ = format!("{file:?}");
    write(file);
    copy(file);
}
