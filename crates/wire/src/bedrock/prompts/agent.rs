//! Which of the operations on prompts a method and a path name.

/// An operation of `bedrock-agent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentOperation {
    /// `POST /prompts/`
    CreatePrompt,
    /// `GET /prompts/`
    ListPrompts,
    /// `GET /prompts/{promptIdentifier}/`
    GetPrompt,
    /// `PUT /prompts/{promptIdentifier}/`
    UpdatePrompt,
    /// `DELETE /prompts/{promptIdentifier}/`
    DeletePrompt,
    /// `POST /prompts/{promptIdentifier}/versions`
    CreatePromptVersion,
    /// `POST /tags/{resourceArn}`
    TagResource,
    /// `DELETE /tags/{resourceArn}`
    UntagResource,
    /// `GET /tags/{resourceArn}`
    ListTagsForResource,
}

impl AgentOperation {
    /// All of them, each with its name, its method and its path, as the service's model has them.
    const TABLE: [(Self, &'static str, &'static str, &'static str); 9] = [
        (Self::CreatePrompt, "CreatePrompt", "POST", "/prompts/"),
        (Self::ListPrompts, "ListPrompts", "GET", "/prompts/"),
        (
            Self::GetPrompt,
            "GetPrompt",
            "GET",
            "/prompts/{promptIdentifier}/",
        ),
        (
            Self::UpdatePrompt,
            "UpdatePrompt",
            "PUT",
            "/prompts/{promptIdentifier}/",
        ),
        (
            Self::DeletePrompt,
            "DeletePrompt",
            "DELETE",
            "/prompts/{promptIdentifier}/",
        ),
        (
            Self::CreatePromptVersion,
            "CreatePromptVersion",
            "POST",
            "/prompts/{promptIdentifier}/versions",
        ),
        (Self::TagResource, "TagResource", "POST", "/tags/{resourceArn}"),
        (
            Self::UntagResource,
            "UntagResource",
            "DELETE",
            "/tags/{resourceArn}",
        ),
        (
            Self::ListTagsForResource,
            "ListTagsForResource",
            "GET",
            "/tags/{resourceArn}",
        ),
    ];

    /// Every operation.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.into_iter().map(|(operation, ..)| operation)
    }

    /// AWS's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Its path, with the name of its label in braces.
    #[must_use]
    pub fn template(self) -> &'static str {
        self.row().3
    }

    fn row(self) -> (Self, &'static str, &'static str, &'static str) {
        let mut table = Self::TABLE.into_iter();
        // INVARIANT: each has its row; a test compares the table with the model.
        table
            .find(|(operation, ..)| *operation == self)
            .unwrap_or((self, "", "", ""))
    }

    /// The operation of a method and the labels of a path, with the label that is a name; empty if there is none.
    pub(crate) fn find<'a>(method: &str, labels: &[&'a str]) -> Option<(Self, &'a str)> {
        Self::TABLE
            .into_iter()
            .find_map(|(operation, _, its_method, template)| {
                let template: Vec<&str> = template.trim_matches('/').split('/').collect();
                let label = |part: &str| part.starts_with('{');
                let mut both = template.iter().zip(labels);
                let same = template.len() == labels.len() && its_method == method;
                (same && both.all(|(part, sent)| label(part) || part == sent))
                    .then(|| (operation, labels.get(1).copied().unwrap_or_default()))
            })
    }

    /// Whether a path that begins so is one of these operations', whatever follows.
    pub(crate) fn begins(first: &str) -> bool {
        matches!(first, "prompts" | "tags")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rest::RestService;

    #[test]
    fn every_operation_of_the_model_has_its_row() {
        let model = RestService::BedrockAgent.model().unwrap();
        for (operation, name, method, template) in AgentOperation::TABLE {
            let labels: Vec<&str> = template.trim_matches('/').split('/').collect();
            let label = labels.get(1).copied().unwrap_or_default();
            assert_eq!(AgentOperation::find(method, &labels), Some((operation, label)));
            assert_eq!(AgentOperation::find("PATCH", &labels), None);
            assert!(AgentOperation::begins(labels[0]));
            assert_eq!((operation.name(), operation.template()), (name, template));
            assert!(model.operations.contains_key(name), "{name}");
        }
        assert_eq!(model.operations.len(), AgentOperation::TABLE.len());
        for labels in [
            &["prompts", "a", "b"][..],
            &["tags"],
            &["prompts", "a", "versions", "1"],
        ] {
            assert_eq!(AgentOperation::find("POST", labels), None, "{labels:?}");
        }
    }
}
