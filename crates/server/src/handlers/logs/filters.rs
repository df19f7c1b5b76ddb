//! Metric filters, and subscription filters, of which there is none: no destination of theirs exists here.

use std::collections::BTreeMap;

use moho_iam::action::{Action, logs as action};
use moho_iam::authz::Permit;
use moho_store::logs::{MetricFilter, MetricFilterPut, MetricFiltersOf, Transformation};
use moho_terms::Content;
use moho_watch::pattern::{FilterPattern, Selector};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::logs::rules::{
    self as ops, DescribeMetricFilters, DescribeMetricFiltersReply, DescribeSubscriptionFiltersReply,
    MetricFilterMatchRecord, MetricTransformation, PutMetricFilter, PutSubscriptionFilter, TestMetricFilter,
    TestMetricFilterReply,
};
use moho_wire::{Failure, Reply};

use super::{Asked, after, listing, page_of, shown, stored, token};
use crate::handlers::blocking;

/// Filters of one group that have regular expressions, as at AWS.
const MOST_WITH_EXPRESSIONS: usize = 5;
/// Dimensions of a metric, as at AWS.
const MOST_DIMENSIONS: usize = 3;
/// Filters that are looked at to count those.
const ALL: usize = 1000;

/// Reads a pattern.
pub(super) fn pattern(text: &str) -> Result<FilterPattern, Failure> {
    FilterPattern::parse(text).map_err(|error| {
        let (fault, at) = (error.fault, error.at);
        shown::invalid(&format!("Invalid filter pattern: {fault}, at character {at}"))
    })
}

/// `PutMetricFilter`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<action::PutMetricFilter>,
    request: PutMetricFilter,
) -> Result<Reply, Failure> {
    let read = pattern(request.filter_pattern.expose())?;
    let made = request.metric_transformations.into_iter().next();
    let made = transformation(
        made.ok_or_else(|| shown::invalid("A metric filter needs a metric."))?,
        &read,
    )?;
    let with_expressions = read.expressions() > 0;
    let (name, text) = (request.filter_name, request.filter_pattern.expose().to_owned());
    let now = asked.platform.clock.now();
    let put = stored(asked, move |platform| {
        if with_expressions && others_with_expressions(platform, &permit, &name)? >= MOST_WITH_EXPRESSIONS {
            return Ok(MetricFilterPut::Full);
        }
        platform
            .store
            .put_metric_filter(&permit, (&name, &text), &made, now)
    });
    match put.await? {
        MetricFilterPut::Done => Service::Logs.done("PutMetricFilter", &asked.request),
        MetricFilterPut::NoGroup => Err(shown::no_group()),
        MetricFilterPut::Full => Err(shown::service(
            "LimitExceededException",
            "Resource limit exceeded: a log group has at most 100 metric filters, and 5 with regular expressions.",
        )),
    }
}

/// How many other filters of the group have regular expressions.
fn others_with_expressions(
    platform: &crate::startup::Platform,
    permit: &Permit<action::PutMetricFilter>,
    name: &str,
) -> Result<usize, moho_store::StoreError> {
    let wanted = MetricFiltersOf {
        prefix: "",
        metric: None,
        after: ("", ""),
        most: ALL,
    };
    let all = platform
        .store
        .metric_filters(permit, &wanted)?
        .unwrap_or_default();
    let counts = |filter: &&MetricFilter| {
        filter.name != name && FilterPattern::parse(&filter.pattern).is_ok_and(|read| read.expressions() > 0)
    };
    Ok(all.iter().filter(counts).count())
}

fn transformation(made: MetricTransformation, pattern: &FilterPattern) -> Result<Transformation, Failure> {
    if made.metric_namespace.starts_with("AWS/") {
        return Err(shown::invalid(
            "The namespaces that begin with AWS/ are reserved.",
        ));
    }
    let value = &made.metric_value;
    if value.parse::<f64>().is_err() {
        check_selector(value, pattern)?;
    }
    let dimensions = made.dimensions.unwrap_or_default();
    if dimensions.len() > MOST_DIMENSIONS {
        return Err(shown::invalid("A metric filter has at most 3 dimensions."));
    }
    if !dimensions.is_empty() && made.default_value.is_some() {
        return Err(shown::invalid(
            "A metric filter cannot have both dimensions and a default value.",
        ));
    }
    for selector in dimensions.values() {
        check_selector(selector, pattern)?;
    }
    Ok(Transformation {
        name: made.metric_name,
        namespace: made.metric_namespace,
        value: made.metric_value,
        default: made.default_value,
        dimensions,
        unit: made.unit,
    })
}

/// Whether events that match can have a value there.
fn check_selector(selector: &str, pattern: &FilterPattern) -> Result<(), Failure> {
    let read = Selector::parse(selector).ok();
    let there = read.is_some_and(|read| pattern.has(&read));
    there.then_some(()).ok_or_else(|| {
        shown::invalid(
            "Invalid metric transformation: a value or dimension is neither a number nor a selector of the filter pattern.",
        )
    })
}

/// `DescribeMetricFilters`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribeMetricFilters>,
    request: DescribeMetricFilters,
) -> Result<Reply, Failure> {
    let metric = match (request.metric_name, request.metric_namespace) {
        (Some(name), Some(namespace)) => Some((name, namespace)),
        (None, None) => None,
        _ => {
            return Err(shown::invalid(
                "The metricName and the metricNamespace have to be given together.",
            ));
        }
    };
    let prefix = request.filter_name_prefix.unwrap_or_default();
    let (name, namespace) = metric.as_ref().map_or(("", ""), |(name, of)| (name, of));
    let listing = listing(&permit, &[&prefix, name, namespace]);
    let after = after(asked, &listing, request.next_token.as_ref())?.unwrap_or_default();
    let page = page_of(request.limit);
    let found = stored(asked, move |platform| {
        let wanted = MetricFiltersOf {
            prefix: &prefix,
            metric: metric.as_ref().map(|(name, of)| (name.as_str(), of.as_str())),
            // No name of a group has a colon.
            after: after.split_once(':').unwrap_or_default(),
            most: page.saturating_add(1),
        };
        platform.store.metric_filters(&permit, &wanted)
    });
    let mut found = found.await?.ok_or_else(shown::no_group)?;
    let more = found.len() > page;
    found.truncate(page);
    let last = found.last().filter(|_| more);
    let last = last.map(|last| format!("{}:{}", last.group, last.name));
    let next_token = last.map(|last| token(asked, &listing, &last)).transpose()?;
    DescribeMetricFiltersReply {
        metric_filters: Some(found.into_iter().map(shown_filter).collect()),
        next_token,
    }
    .reply(Service::Logs, "DescribeMetricFilters", &asked.request)
}

fn shown_filter(filter: MetricFilter) -> ops::MetricFilter {
    let Transformation {
        name,
        namespace,
        value,
        default,
        dimensions,
        unit,
    } = filter.transformation;
    ops::MetricFilter {
        filter_name: Some(filter.name),
        filter_pattern: Some(Content::new(filter.pattern)),
        metric_transformations: Some(vec![MetricTransformation {
            metric_name: name,
            metric_namespace: namespace,
            metric_value: value,
            default_value: default,
            dimensions: (!dimensions.is_empty()).then_some(dimensions),
            unit,
        }]),
        creation_time: Some(shown::milliseconds(filter.created)),
        log_group_name: Some(filter.group),
    }
}

/// `DeleteMetricFilter`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<action::DeleteMetricFilter>,
    name: String,
) -> Result<Reply, Failure> {
    let deleted = stored(asked, move |platform| {
        platform.store.delete_metric_filter(&permit, &name)
    });
    match deleted.await? {
        None => Err(shown::no_group()),
        Some(false) => Err(no_filter("metric")),
        Some(true) => Service::Logs.done("DeleteMetricFilter", &asked.request),
    }
}

fn no_filter(kind: &str) -> Failure {
    shown::service(
        "ResourceNotFoundException",
        &format!("The specified {kind} filter does not exist."),
    )
}

/// `TestMetricFilter`: which of some events match, and which values they have. It takes a turn, as patterns can be costly.
pub(crate) async fn test(
    asked: &Asked,
    _permit: Permit<action::TestMetricFilter>,
    request: TestMetricFilter,
) -> Result<Reply, Failure> {
    let read = pattern(request.filter_pattern.expose())?;
    let turn = asked.platform.log_searches.wait(asked.account).await?;
    let matches = blocking(move || {
        let mut matches = Vec::new();
        for (number, message) in (1..).zip(request.log_event_messages) {
            let Some(found) = read.matches(message.expose()) else {
                continue;
            };
            let values: BTreeMap<String, Content> = found
                .values()
                .into_iter()
                .map(|(selector, value)| (selector, Content::new(value.into_owned())))
                .collect();
            matches.push(MetricFilterMatchRecord {
                event_number: Some(number),
                event_message: Some(message),
                extracted_values: Some(values),
            });
        }
        drop(turn);
        Ok(matches)
    });
    TestMetricFilterReply {
        matches: Some(matches.await?),
    }
    .reply(Service::Logs, "TestMetricFilter", &asked.request)
}

/// `PutSubscriptionFilter`: what it names as its destination cannot be there, which is told as AWS tells it.
pub(crate) async fn subscribe(
    asked: &Asked,
    permit: Permit<action::PutSubscriptionFilter>,
    request: PutSubscriptionFilter,
) -> Result<Reply, Failure> {
    pattern(request.filter_pattern.expose())?;
    there(asked, permit).await?;
    let service = request.destination_arn.split(':').nth(2).unwrap_or_default();
    Err(shown::invalid(match service {
        "lambda" => {
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function."
        }
        "kinesis" => {
            "Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in ACTIVE state."
        }
        "firehose" => {
            "Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in ACTIVE state."
        }
        "logs" => "The specified destination does not exist.",
        _ => "destinationArn for vendor is not valid: it names no destination of a subscription.",
    }))
}

/// `DescribeSubscriptionFilters`
pub(crate) async fn subscriptions(
    asked: &Asked,
    permit: Permit<action::DescribeSubscriptionFilters>,
) -> Result<Reply, Failure> {
    there(asked, permit).await?;
    DescribeSubscriptionFiltersReply {
        subscription_filters: Some(Vec::new()),
    }
    .reply(Service::Logs, "DescribeSubscriptionFilters", &asked.request)
}

/// `DeleteSubscriptionFilter`
pub(crate) async fn unsubscribe(
    asked: &Asked,
    permit: Permit<action::DeleteSubscriptionFilter>,
) -> Result<Reply, Failure> {
    there(asked, permit).await?;
    Err(no_filter("subscription"))
}

/// Whether the group that a permit is for is there.
async fn there<A: Action>(asked: &Asked, permit: Permit<A>) -> Result<(), Failure> {
    let found = stored(asked, move |platform| platform.store.log_group(&permit)).await?;
    found.map(drop).ok_or_else(shown::no_group)
}
