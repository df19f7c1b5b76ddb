//! Which of the operations on prompts a method and a path name.

use crate::bedrock::operations::operations;

operations! {
    /// An operation of `bedrock-agent`.
    AgentOperation {
        CreatePrompt = "POST" "/prompts/",
        ListPrompts = "GET" "/prompts/",
        GetPrompt = "GET" "/prompts/{promptIdentifier}/",
        UpdatePrompt = "PUT" "/prompts/{promptIdentifier}/",
        DeletePrompt = "DELETE" "/prompts/{promptIdentifier}/",
        CreatePromptVersion = "POST" "/prompts/{promptIdentifier}/versions",
        TagResource = "POST" "/tags/{resourceArn}",
        UntagResource = "DELETE" "/tags/{resourceArn}",
        ListTagsForResource = "GET" "/tags/{resourceArn}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rest::RestService;

    #[test]
    fn every_operation_of_the_model_has_its_row() {
        let model = RestService::BedrockAgent.model().unwrap();
        for operation in AgentOperation::all() {
            let (name, method) = (operation.name(), operation.method());
            let labels: Vec<&str> = operation.template().trim_matches('/').split('/').collect();
            let label = labels.get(1).copied().unwrap_or_default();
            assert_eq!(AgentOperation::find(method, &labels), Some((operation, label)));
            assert_eq!(AgentOperation::find("PATCH", &labels), None);
            assert!(AgentOperation::begins(labels[0]));
            assert!(model.operations.contains_key(name), "{name}");
        }
        assert_eq!(model.operations.len(), AgentOperation::all().count());
        for labels in [
            &["prompts", "a", "b"][..],
            &["tags"],
            &["prompts", "a", "versions", "1"],
        ] {
            assert_eq!(AgentOperation::find("POST", labels), None, "{labels:?}");
        }
    }
}
