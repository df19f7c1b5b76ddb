//! Bedrock's control plane, but for its list of models: which operation a method and a path name.

use super::operations::operations;

operations! {
    /// An operation of `bedrock` that says who may use which models, and under which names.
    ControlOperation {
        GetFoundationModelAvailability = "GET" "/foundation-model-availability/{modelId}",
        ListFoundationModelAgreementOffers = "GET" "/list-foundation-model-agreement-offers/{modelId}",
        CreateFoundationModelAgreement = "POST" "/create-foundation-model-agreement",
        DeleteFoundationModelAgreement = "POST" "/delete-foundation-model-agreement",
        PutUseCaseForModelAccess = "POST" "/use-case-for-model-access",
        GetUseCaseForModelAccess = "GET" "/use-case-for-model-access",
        CreateInferenceProfile = "POST" "/inference-profiles",
        GetInferenceProfile = "GET" "/inference-profiles/{inferenceProfileIdentifier}",
        ListInferenceProfiles = "GET" "/inference-profiles",
        DeleteInferenceProfile = "DELETE" "/inference-profiles/{inferenceProfileIdentifier}",
        TagResource = "POST" "/tagResource",
        UntagResource = "POST" "/untagResource",
        ListTagsForResource = "POST" "/listTagsForResource",
        GetAccountDataRetention = "GET" "/data-retention",
        PutAccountDataRetention = "PUT" "/data-retention",
        PutModelInvocationLoggingConfiguration = "PUT" "/logging/modelinvocations",
        GetModelInvocationLoggingConfiguration = "GET" "/logging/modelinvocations",
        DeleteModelInvocationLoggingConfiguration = "DELETE" "/logging/modelinvocations",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rest::RestService;

    #[test]
    fn every_operation_of_the_model_has_its_row() {
        let model = RestService::Bedrock.model().unwrap();
        for operation in ControlOperation::all() {
            let method = operation.method();
            let labels: Vec<&str> = operation.template().trim_matches('/').split('/').collect();
            let label = if labels.len() > 1 { labels[1] } else { "" };
            assert_eq!(ControlOperation::find(method, &labels), Some((operation, label)));
            assert_eq!(ControlOperation::find("PATCH", &labels), None);
            assert!(ControlOperation::begins(labels[0]));
            assert!(model.operations.contains_key(operation.name()), "{operation:?}");
        }
        let others = ["ListFoundationModels", "GetFoundationModel"];
        for name in model
            .operations
            .keys()
            .filter(|name| !others.contains(&name.as_str()))
        {
            assert!(
                ControlOperation::all().any(|operation| operation.name() == name),
                "{name}"
            );
        }
    }
}
