//! Which events a trail delivers.

use moho_audit::cloudtrail::names::TrailRef;
use moho_audit::cloudtrail::selectors as kept;
use moho_audit::cloudtrail::selectors::{Selectors, ShownSelectors};
use moho_iam::action::cloudtrail as action;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::cloudtrail as ops;
use moho_wire::{Failure, Reply};

use super::{act, found, shown, trails};
use crate::handlers::Asked;

/// `GetEventSelectors`
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<action::GetEventSelectors>,
    named: TrailRef,
) -> Result<Reply, Failure> {
    let (trail, _permit) = found(asked, permit, &named).await?;
    let (event_selectors, advanced_event_selectors) = told(&shown::selectors(&trail));
    ops::GetEventSelectorsResponse {
        trail_arn: shown::arn(&trail),
        event_selectors,
        advanced_event_selectors,
    }
    .reply(Service::CloudTrail, "GetEventSelectors", &asked.request)
}

/// `PutEventSelectors`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<action::PutEventSelectors>,
    request: ops::PutEventSelectors,
) -> Result<Reply, Failure> {
    let given = ShownSelectors {
        event_selectors: request
            .event_selectors
            .map(|all| all.into_iter().map(basic).collect()),
        advanced_event_selectors: request
            .advanced_event_selectors
            .map(|all| all.into_iter().map(advanced).collect()),
    };
    let selectors = Selectors::try_from(given);
    let selectors =
        selectors.map_err(|error| shown::service("InvalidEventSelectorsException", error.to_string()))?;
    let (_trail, permit) = trails::own(asked, permit).await?;
    let json =
        serde_json::to_string(&ShownSelectors::from(&selectors)).map_err(|_never| Failure::Internal)?;
    let changed = act(asked, move |platform| {
        platform.store.put_event_selectors(&permit, Some(&json))
    });
    let changed = changed.await?;
    let (event_selectors, advanced_event_selectors) = told(&selectors);
    ops::PutEventSelectorsResponse {
        trail_arn: shown::arn(&changed),
        event_selectors,
        advanced_event_selectors,
    }
    .reply(Service::CloudTrail, "PutEventSelectors", &asked.request)
}

type Told = (
    Option<Vec<ops::EventSelector>>,
    Option<Vec<ops::AdvancedEventSelector>>,
);

fn told(selectors: &Selectors) -> Told {
    let shown = ShownSelectors::from(selectors);
    let basic = shown.event_selectors.map(|all| {
        let told = all.into_iter().map(|one| ops::EventSelector {
            read_write_type: one.read_write_type,
            include_management_events: one.include_management_events,
            data_resources: one.data_resources.map(|all| {
                let told = all.into_iter().map(|one| ops::DataResource {
                    kind: one.r#type,
                    values: one.values,
                });
                told.collect()
            }),
            exclude_management_event_sources: one.exclude_management_event_sources,
        });
        told.collect()
    });
    let advanced = shown.advanced_event_selectors.map(|all| {
        let told = all.into_iter().map(|one| ops::AdvancedEventSelector {
            name: one.name,
            field_selectors: one.field_selectors.into_iter().map(told_field).collect(),
        });
        told.collect()
    });
    (basic, advanced)
}

fn told_field(one: kept::AdvancedFieldSelector) -> ops::AdvancedFieldSelector {
    ops::AdvancedFieldSelector {
        field: one.field,
        equals: one.equals,
        starts_with: one.starts_with,
        ends_with: one.ends_with,
        not_equals: one.not_equals,
        not_starts_with: one.not_starts_with,
        not_ends_with: one.not_ends_with,
    }
}

fn basic(one: ops::EventSelector) -> kept::EventSelector {
    kept::EventSelector {
        read_write_type: one.read_write_type,
        include_management_events: one.include_management_events,
        data_resources: one.data_resources.map(|all| {
            let given = all.into_iter().map(|one| kept::DataResource {
                r#type: one.kind,
                values: one.values,
            });
            given.collect()
        }),
        exclude_management_event_sources: one.exclude_management_event_sources,
    }
}

fn advanced(one: ops::AdvancedEventSelector) -> kept::AdvancedEventSelector {
    let fields = one
        .field_selectors
        .into_iter()
        .map(|field| kept::AdvancedFieldSelector {
            field: field.field,
            equals: field.equals,
            starts_with: field.starts_with,
            ends_with: field.ends_with,
            not_equals: field.not_equals,
            not_starts_with: field.not_starts_with,
            not_ends_with: field.not_ends_with,
        });
    kept::AdvancedEventSelector {
        name: one.name,
        field_selectors: fields.collect(),
    }
}
