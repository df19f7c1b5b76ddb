//! What can be asked for: every action as a type, so that a permit for one is no permit for another.
//!
//! Names are AWS's own, because policies written for AWS must mean the same here. An action exists in this file, in
//! [`ALL`] and in the role × action × resource table of the tests, or it does not compile there.

mod sealed {
    /// Only this crate names actions.
    #[expect(unnameable_types, reason = "a sealed trait: nobody else may implement it")]
    pub trait Sealed {}
}

/// An action that a policy can allow.
pub trait Action: sealed::Sealed + Send + Sync + 'static {
    /// Its name in policies, such as `bedrock-mantle:CreateInference`.
    const NAME: &'static str;
}

/// Actions that put a model to use: they need the account's agreement to use it.
pub(crate) const INFERENCE: &[&str] = &[
    bedrock::InvokeModel::NAME,
    bedrock::InvokeModelWithResponseStream::NAME,
    bedrock::CountTokens::NAME,
    mantle::CreateInference::NAME,
];

macro_rules! actions {
    ($($(#[$group_doc:meta])* $group:ident: $prefix:literal { $($(#[$doc:meta])* $name:ident),+ $(,)? })+) => {
        $(
            $(#[$group_doc])*
            pub mod $group {
                $(
                    $(#[$doc])*
                    #[derive(Debug)]
                    pub enum $name {}
                    impl super::sealed::Sealed for $name {}
                    impl super::Action for $name {
                        const NAME: &'static str = concat!($prefix, ":", stringify!($name));
                    }
                )+
            }
        )+

        /// The name of every action there is.
        pub const ALL: &[&str] = &[$($(<$group::$name as Action>::NAME),+),+];
    };
}

actions! {
    /// Amazon Bedrock's runtime and catalogue.
    bedrock: "bedrock" {
        /// Ask a model and wait for the whole answer.
        InvokeModel,
        /// Ask a model and take the answer as a stream.
        InvokeModelWithResponseStream,
        /// Learn how many tokens a model would make of a request.
        CountTokens,
        /// Use a bearer key at all.
        CallWithBearerToken,
        /// List the models there are.
        ListFoundationModels,
        /// Describe one model.
        GetFoundationModel,
    }
    /// The OpenAI-compatible surface.
    mantle: "bedrock-mantle" {
        /// Ask a model: Responses and Chat Completions.
        CreateInference,
        /// Read a stored response.
        GetInference,
        /// Delete a stored response.
        DeleteInference,
        /// List the models there are.
        ListModels,
        /// Describe one model.
        GetModel,
        /// Use a bearer key at all.
        CallWithBearerToken,
    }
    /// Temporary credentials.
    sts: "sts" {
        /// Take on a role.
        AssumeRole,
        /// Ask who one is.
        GetCallerIdentity,
    }
    /// Identity administration.
    iam: "iam" {
        /// Trust an OpenID Connect provider.
        CreateOpenIDConnectProvider,
        /// As IAM's operation.
        CreateRole,
        /// As IAM's operation.
        GetRole,
        /// As IAM's operation.
        ListRoles,
        /// As IAM's operation.
        UpdateRole,
        /// As IAM's operation.
        UpdateRoleDescription,
        /// As IAM's operation.
        DeleteRole,
        /// As IAM's operation.
        UpdateAssumeRolePolicy,
        /// As IAM's operation.
        PutRolePolicy,
        /// As IAM's operation.
        GetRolePolicy,
        /// As IAM's operation.
        ListRolePolicies,
        /// As IAM's operation.
        DeleteRolePolicy,
        /// As IAM's operation.
        AttachRolePolicy,
        /// As IAM's operation.
        DetachRolePolicy,
        /// As IAM's operation.
        ListAttachedRolePolicies,
        /// As IAM's operation.
        PutRolePermissionsBoundary,
        /// As IAM's operation.
        DeleteRolePermissionsBoundary,
        /// As IAM's operation.
        TagRole,
        /// As IAM's operation.
        UntagRole,
        /// As IAM's operation.
        ListRoleTags,
        /// As IAM's operation.
        CreatePolicy,
        /// As IAM's operation.
        GetPolicy,
        /// As IAM's operation.
        ListPolicies,
        /// As IAM's operation.
        DeletePolicy,
        /// As IAM's operation.
        CreatePolicyVersion,
        /// As IAM's operation.
        GetPolicyVersion,
        /// As IAM's operation.
        ListPolicyVersions,
        /// As IAM's operation.
        DeletePolicyVersion,
        /// As IAM's operation.
        SetDefaultPolicyVersion,
        /// As IAM's operation.
        ListEntitiesForPolicy,
        /// As IAM's operation.
        TagPolicy,
        /// As IAM's operation.
        UntagPolicy,
        /// As IAM's operation.
        ListPolicyTags,
        /// As IAM's operation.
        CreateInstanceProfile,
        /// As IAM's operation.
        GetInstanceProfile,
        /// As IAM's operation.
        ListInstanceProfiles,
        /// As IAM's operation.
        DeleteInstanceProfile,
        /// As IAM's operation.
        AddRoleToInstanceProfile,
        /// As IAM's operation.
        RemoveRoleFromInstanceProfile,
        /// As IAM's operation.
        ListInstanceProfilesForRole,
        /// As IAM's operation.
        CreateServiceLinkedRole,
        /// As IAM's operation.
        DeleteServiceLinkedRole,
        /// As IAM's operation.
        GetServiceLinkedRoleDeletionStatus,
        /// As IAM's operation.
        SimulatePrincipalPolicy,
        /// As IAM's operation.
        SimulateCustomPolicy,
        /// As IAM's operation.
        GetContextKeysForPrincipalPolicy,
        /// As IAM's operation.
        GetContextKeysForCustomPolicy,
        /// As IAM's operation.
        GetAccountAuthorizationDetails,
        /// As IAM's operation.
        GetAccountSummary,
        /// As IAM's operation.
        PassRole,
    }
    /// Keys.
    kms: "kms" {
        /// Make a data key and get it both plain and wrapped.
        GenerateDataKey,
        /// Unwrap what a key has wrapped.
        Decrypt,
        /// Wrap something with a key.
        Encrypt,
        /// Make a key.
        CreateKey,
        /// Describe a key.
        DescribeKey,
    }
}
