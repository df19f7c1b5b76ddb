//! Pages of IAM's lists: what a request asks for, and where the list goes on.

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_store::Store;
use moho_store::iam::{IamError, Listed, Page};
use moho_wire::Failure;

use super::act;
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};

/// A page, as it is answered.
pub(crate) struct Answered<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// `IsTruncated`
    pub(crate) is_truncated: Option<bool>,
    /// `Marker`
    pub(crate) marker: Option<String>,
}

/// Which page a request asks for: by its `Marker` and its `MaxItems`.
pub(crate) struct Wanted {
    /// What else than the permit's resource makes it this list.
    filters: Vec<String>,
    marker: Option<String>,
    most: Option<i64>,
}

impl Wanted {
    /// A page of all there is.
    pub(crate) fn all(marker: Option<String>, most: Option<i64>) -> Self {
        Self {
            filters: Vec::new(),
            marker,
            most,
        }
    }

    /// A page of what these filters let through, such as a path prefix: for other ones its marker is none.
    pub(crate) fn only(self, filters: &[&str]) -> Self {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        Self { filters, ..self }
    }
}

/// A page of the list that the permit is for.
pub(crate) async fn page<A: Action, T: Send + 'static>(
    asked: &Asked,
    permit: Permit<A>,
    wanted: Wanted,
    look: impl FnOnce(&Store, &Permit<A>, Page<'_>) -> Result<Listed<T>, IamError> + Send + 'static,
) -> Result<Answered<T>, Failure> {
    let filters: Vec<&str> = wanted.filters.iter().map(String::as_str).collect();
    let listing = Listing::of_permit(&permit, &filters);
    let marker = wanted.marker.as_deref();
    let asking = Asking::of_iam(&asked.platform, listing, marker, wanted.most)?;
    let (after, limit) = (asking.after.clone(), asking.limit);
    let listed = act(asked, move |platform| {
        let after = after.as_deref();
        look(&platform.store, &permit, Page { after, limit })
    })
    .await?;
    let (is_truncated, marker) = asking.next(&asked.platform, listed.last.as_deref())?;
    Ok(Answered {
        items: listed.items,
        is_truncated,
        marker,
    })
}
