//! fails: E0277 the trait bound `Content: Clone` is not satisfied

fn copy<T: Clone>(of: &T) -> T {
    of.clone()
}

pub fn keep(prompt: &moho_terms::Content) -> moho_terms::Content {
    copy(prompt)
}
