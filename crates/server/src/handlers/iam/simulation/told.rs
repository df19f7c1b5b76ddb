//! A simulated decision as AWS's replies tell it.

use moho_iam::authz::Simulated;
use moho_wire::aws::ops::iam::shapes;

use super::RESOURCE_POLICY;

/// What would be decided, and by which statements.
pub(super) fn told(action: &str, resource: &str, simulated: &Simulated) -> shapes::EvaluationResult {
    let statements = |simulated: &Simulated| {
        let matched = simulated.matched.iter().map(|matched| {
            let (id, kind) = source(matched.source.as_str());
            let place = |place: moho_iam::authz::TextPosition| shapes::Position {
                line: Some(i64::from(place.line)),
                column: Some(i64::from(place.column)),
            };
            shapes::Statement {
                source_policy_id: Some(id),
                source_policy_type: Some(kind.to_owned()),
                start_position: Some(place(matched.start)),
                end_position: Some(place(matched.end)),
            }
        });
        matched.collect::<Vec<_>>()
    };
    let boundary = simulated
        .allowed_by_boundary
        .map(|allowed| shapes::PermissionsBoundaryDecisionDetail {
            allowed_by_permissions_boundary: Some(allowed),
        });
    let decision = simulated.decision.as_str().to_owned();
    shapes::EvaluationResult {
        eval_action_name: Some(action.to_owned()),
        eval_resource_name: Some(resource.to_owned()),
        eval_decision: Some(decision.clone()),
        matched_statements: Some(statements(simulated)),
        missing_context_values: Some(simulated.missing_context.clone()),
        organizations_decision_detail: simulated.allowed_by_organisation.map(|allowed| {
            shapes::OrganizationsDecisionDetail {
                allowed_by_organizations: Some(allowed),
            }
        }),
        permissions_boundary_decision_detail: boundary.clone(),
        eval_decision_details: None,
        resource_specific_results: Some(vec![shapes::ResourceSpecificResult {
            eval_resource_name: Some(resource.to_owned()),
            eval_resource_decision: Some(decision),
            matched_statements: Some(statements(simulated)),
            missing_context_values: Some(simulated.missing_context.clone()),
            eval_decision_details: None,
            permissions_boundary_decision_detail: boundary,
        }]),
    }
}

/// A policy's name and the kind of its source, as AWS tells them.
fn source(id: &str) -> (String, &'static str) {
    if let Some((owner, name)) = id.split_once("/inline:") {
        let kind = match owner.split('/').next() {
            Some("role") => "role",
            Some("group") => "group",
            _ => "user",
        };
        return (name.to_owned(), kind);
    }
    let name = id.rsplit('/').next().unwrap_or(id).to_owned();
    if id.starts_with("arn:aws:iam::aws:") {
        (name, "aws-managed")
    } else if id.starts_with("arn:") {
        (name, "user-managed")
    } else if id == RESOURCE_POLICY {
        (name, "resource")
    } else {
        (name, "none")
    }
}
