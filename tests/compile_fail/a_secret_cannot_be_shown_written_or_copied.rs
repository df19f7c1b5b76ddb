//! fails: E0277 `Secret` doesn't implement `std::fmt::Display`
//! fails: E0277 `Secret` doesn't implement `Debug`
//! fails: E0277 the trait bound `Secret: serde::Serialize` is not satisfied
//! fails: E0277 the trait bound `Secret: Clone` is not satisfied

fn write<T: serde::Serialize>(_: &T) {}

fn copy<T: Clone>(_: &T) {}

pub fn leak(key: &moho_terms::Secret) {
    let _ = format!("{key}");
    let _ = format!("{key:?}");
    write(key);
    copy(key);
}
