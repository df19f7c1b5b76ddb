//! fails: E0369 binary operation `==` cannot be applied to type `Secret`

pub fn guess(known: moho_terms::Secret, tried: moho_terms::Secret) -> bool {
    known == tried
}
