//! What a TPM 2.0 attests: quotes over registers, and the event log that explains them.
//!
//! [`Quote::verify`] makes sure that a TPM signed it, with a key that signs nothing else ([`AttestationKey`]); [`Quote::is_over`] that it
//! is over the registers that somebody tells; [`EventLog::leads_to`] that a log explains them. Which TPM that was the quote does not
//! say: the key has to be bound to one, by an attestation document that names it ([`AttestationKey::point`]) or by its endorsement key.

mod event_log;
mod key;
mod quote;
#[cfg(test)]
mod tests;
mod wire;

pub use event_log::{EventLog, LoggedEvent};
pub use key::AttestationKey;
pub use quote::Quote;
