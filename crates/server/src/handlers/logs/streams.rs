//! Log streams.

use moho_iam::action::logs as action;
use moho_iam::authz::Permit;
use moho_store::logs::{StreamMade, StreamOrder, log_name};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::logs::events::{DescribeLogStreams, DescribeLogStreamsReply};
use moho_wire::{Failure, Reply};

use super::{Asked, after, groups, listing, page_of, shown, stored, token};

/// `CreateLogStream`
pub(crate) async fn create(asked: &Asked, permit: Permit<action::CreateLogStream>) -> Result<Reply, Failure> {
    let made = stored(asked, move |platform| {
        platform.store.create_log_stream(&permit, platform.clock.now())
    });
    match made.await? {
        StreamMade::Done => Service::Logs.done("CreateLogStream", &asked.request),
        StreamMade::NoGroup => Err(shown::no_group()),
        StreamMade::Exists => Err(shown::service(
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        )),
    }
}

/// `DeleteLogStream`
pub(crate) async fn delete(asked: &Asked, permit: Permit<action::DeleteLogStream>) -> Result<Reply, Failure> {
    match stored(asked, move |platform| platform.store.delete_log_stream(&permit)).await? {
        None => Err(shown::no_stream()),
        Some(false) => Err(groups::protected()),
        Some(true) => Service::Logs.done("DeleteLogStream", &asked.request),
    }
}

/// `DescribeLogStreams`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribeLogStreams>,
    request: DescribeLogStreams,
) -> Result<Reply, Failure> {
    let by_time = request.order_by.as_deref() == Some("LastEventTime");
    let prefix = request.log_stream_name_prefix.unwrap_or_default();
    if by_time && !prefix.is_empty() {
        return Err(shown::invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let descending = request.descending.unwrap_or(false);
    let order = if by_time { "time" } else { "name" };
    let listing = listing(&permit, &[&prefix, order, if descending { "down" } else { "up" }]);
    let after = after(asked, &listing, request.next_token.as_ref())?;
    let page = page_of(request.limit);
    let found = stored(asked, move |platform| {
        let order = if by_time {
            let after = after.as_deref().and_then(|after| after.split_once(' '));
            let after = after.and_then(|(time, id)| Some((time.parse().ok()?, id.parse().ok()?)));
            StreamOrder::ByLastEvent { after }
        } else {
            StreamOrder::ByName {
                prefix: &prefix,
                after: after.as_deref(),
            }
        };
        let found = platform
            .store
            .log_streams(&permit, (order, descending), page.saturating_add(1))?;
        Ok((permit, found))
    });
    let (permit, found) = found.await?;
    let mut found = found.ok_or_else(shown::no_group)?;
    let more = found.len() > page;
    found.truncate(page);
    let last = found.last().filter(|_| more).map(|stream| {
        if by_time {
            format!("{} {}", stream.last_event.unwrap_or(-1), stream.id)
        } else {
            stream.name.clone()
        }
    });
    let next_token = last.map(|last| token(asked, &listing, &last)).transpose()?;
    let group = log_name(permit.resource())
        .map(|name| name.group)
        .unwrap_or_default();
    let shown = found
        .into_iter()
        .map(|facts| shown::stream(permit.resource(), &group, facts));
    DescribeLogStreamsReply {
        log_streams: Some(shown.collect()),
        next_token,
    }
    .reply(Service::Logs, "DescribeLogStreams", &asked.request)
}
