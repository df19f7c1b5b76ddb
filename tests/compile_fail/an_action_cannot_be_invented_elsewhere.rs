//! fails: E0277 the trait bound `Everything: action::sealed::Sealed` is not satisfied

pub enum Everything {}

impl moho_iam::action::Action for Everything {
    const NAME: &'static str = "*";
}
