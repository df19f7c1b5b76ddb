//! What can be wrong with a filter pattern. No text of the pattern is repeated, only where it is wrong.

use thiserror::Error;

/// Why a filter pattern was refused, and at which of its characters, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("invalid filter pattern: {fault}, at character {at}")]
pub struct PatternError {
    /// What is wrong.
    pub fault: Fault,
    /// Where it was noticed, in characters from one.
    pub at: usize,
}

/// What is wrong with a filter pattern or selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// Longer than 1,024 characters.
    #[error("it is longer than 1024 characters")]
    TooLong,
    /// A `"` has no partner.
    #[error("a double quotation mark is not closed")]
    OpenQuote,
    /// A `%` has no partner.
    #[error("a regular expression is not closed with `%`")]
    OpenExpression,
    /// `{` without `}` at the end.
    #[error("a pattern that starts with `{{` must end with `}}`")]
    OpenBrace,
    /// `[` without `]` at the end.
    #[error("a pattern that starts with `[` must end with `]`")]
    OpenBracket,
    /// `(` without `)`.
    #[error("a parenthesis is not closed")]
    OpenParenthesis,
    /// Other than letters, digits and underscores, outside quotation marks.
    #[error("invalid character(s) in a term: they need double quotation marks")]
    NeedsQuotes,
    /// `-` or `?` with nothing behind it.
    #[error("a term is empty")]
    EmptyTerm,
    /// Something stands where the pattern should end, or the next term be set off.
    #[error("unexpected text")]
    Unexpected,
    /// A condition does not begin with `$`.
    #[error("a property selector such as `$.name` is expected")]
    NoSelector,
    /// A property selector that cannot be read.
    #[error("a property selector is malformed")]
    BadSelector,
    /// More than one `*` in a property selector.
    #[error("a property selector has more than one wildcard")]
    SelectorWildcards,
    /// More than three `*` in all property selectors.
    #[error("there are more than three wildcard selectors")]
    PatternWildcards,
    /// None of `=`, `!=`, `<`, `<=`, `>`, `>=`, `IS`, `NOT EXISTS`.
    #[error("a comparison, `IS` or `NOT EXISTS` is expected")]
    NoOperator,
    /// `IS NOT` or `EXISTS`, which CloudWatch Logs does not have.
    #[error("`IS NOT` and `EXISTS` are not supported")]
    Unsupported,
    /// `IS` without `NULL`, `TRUE` or `FALSE`.
    #[error("`IS` must be followed by `NULL`, `TRUE` or `FALSE`")]
    BadIs,
    /// Nothing to compare with.
    #[error("a string, number or regular expression is expected")]
    NoOperand,
    /// `<` or its kin with something else than a number.
    #[error("this comparison needs a number")]
    NeedsNumber,
    /// Parentheses or properties are nested deeper than is read.
    #[error("it is nested too deeply")]
    TooDeep,
    /// Its selectors together make too large a table.
    #[error("its property selectors are too many")]
    TooComplex,
    /// A field's name has other characters than letters, digits, `_` and `-`.
    #[error("a field's name is malformed")]
    BadField,
    /// The conditions of one field name another.
    #[error("all conditions of a field must name that field")]
    OtherField,
    /// More than one `...`.
    #[error("there is more than one ellipsis")]
    TwoEllipses,
    /// More than two regular expressions.
    #[error("there are more than two regular expressions")]
    TooManyExpressions,
    /// A character that regular expressions may not have.
    #[error("a regular expression has an unsupported character")]
    ExpressionCharacter,
    /// A backslash before something that it does not go with.
    #[error("a regular expression has an unsupported escape")]
    ExpressionEscape,
    /// A character class that is empty, not closed, or has a range that runs backwards.
    #[error("a regular expression has a malformed character class")]
    ExpressionClass,
    /// `*`, `+`, `?` or `{}` without anything to repeat, or with limits out of order.
    #[error("a regular expression has a malformed repetition")]
    ExpressionRepetition,
    /// Nothing between the `%`, or beside a `|`.
    #[error("a regular expression or one of its alternatives is empty")]
    ExpressionEmpty,
    /// It would take too long to look for.
    #[error("a regular expression is too large")]
    ExpressionSize,
}

impl Fault {
    /// This fault at the character behind `read` ones.
    pub(super) fn after(self, read: usize) -> PatternError {
        PatternError {
            fault: self,
            at: read.saturating_add(1),
        }
    }
}
