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

/// Actions that give away what a key protects, or speak in its name: of a key that is held to measurements, they are for
/// measured code alone.
pub(crate) const RELEASING: &[&str] = &[
    kms::Decrypt::NAME,
    kms::ReEncryptFrom::NAME,
    kms::GenerateDataKey::NAME,
    kms::GenerateDataKeyPair::NAME,
    kms::DeriveSharedSecret::NAME,
    kms::Decapsulate::NAME,
    kms::Sign::NAME,
    kms::GenerateMac::NAME,
];

macro_rules! actions {
    ($($(#[$group_doc:meta])* $group:ident: $prefix:literal { $($(#[$doc:meta])* $name:ident),+ $(,)? })+) => {
        $(
            $(#[$group_doc])*
            pub mod $group {
                $(
                    #[doc = concat!("`", $prefix, ":", stringify!($name), "`")]

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
        GetFoundationModelAvailability,
        ListFoundationModelAgreementOffers,
        CreateFoundationModelAgreement,
        DeleteFoundationModelAgreement,
        PutUseCaseForModelAccess,
        GetUseCaseForModelAccess,
        CreateInferenceProfile,
        GetInferenceProfile,
        ListInferenceProfiles,
        DeleteInferenceProfile,
        TagResource,
        UntagResource,
        ListTagsForResource,
        CreatePrompt,
        GetPrompt,
        ListPrompts,
        UpdatePrompt,
        DeletePrompt,
        CreatePromptVersion,
        /// Use a prompt in inference.
        RenderPrompt,
        /// Read how long an account's content may be kept.
        GetAccountDataRetention,
        /// Say whether an account's content may be kept.
        PutAccountDataRetention,
        /// Have every call of a model logged.
        PutModelInvocationLoggingConfiguration,
        /// Read where calls of models are logged to.
        GetModelInvocationLoggingConfiguration,
        /// Have calls of models logged no more.
        DeleteModelInvocationLoggingConfiguration,
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
        /// Read how much the account's principals took of which models.
        GetUsage,
        /// Use a bearer key at all.
        CallWithBearerToken,
        /// Begin a conversation.
        CreateConversation,
        /// Read a conversation and its items, and go on from it.
        GetConversation,
        /// Change a conversation: its metadata, and which items it has.
        UpdateConversation,
        /// Delete a conversation.
        DeleteConversation,
        /// Take out of an account all that it keeps and the caller may read.
        ExportContent,
        /// Delete all that an account keeps.
        EraseContent,
    }
    /// Temporary credentials.
    sts: "sts" {
        /// Take on a role.
        AssumeRole,
        /// Ask who one is.
        GetCallerIdentity,
        /// Take on a role on the word of an identity provider.
        AssumeRoleWithWebIdentity,
        /// Give a session tags.
        TagSession,
        /// Give a session a source identity.
        SetSourceIdentity,
        GetSessionToken,
        GetFederationToken,
        GetAccessKeyInfo,
        DecodeAuthorizationMessage,
    }
    /// Identity administration.
    iam: "iam" {
        /// Trust an OpenID Connect provider.
        CreateOpenIDConnectProvider,
        /// Hand a role to a service.
        PassRole,
        CreateRole,
        GetRole,
        ListRoles,
        UpdateRole,
        UpdateRoleDescription,
        DeleteRole,
        UpdateAssumeRolePolicy,
        PutRolePermissionsBoundary,
        DeleteRolePermissionsBoundary,
        TagRole,
        UntagRole,
        ListRoleTags,
        CreateServiceLinkedRole,
        DeleteServiceLinkedRole,
        GetServiceLinkedRoleDeletionStatus,
        PutRolePolicy,
        GetRolePolicy,
        ListRolePolicies,
        DeleteRolePolicy,
        AttachRolePolicy,
        DetachRolePolicy,
        ListAttachedRolePolicies,
        CreatePolicy,
        GetPolicy,
        ListPolicies,
        DeletePolicy,
        CreatePolicyVersion,
        GetPolicyVersion,
        ListPolicyVersions,
        DeletePolicyVersion,
        SetDefaultPolicyVersion,
        ListEntitiesForPolicy,
        TagPolicy,
        UntagPolicy,
        ListPolicyTags,
        CreateInstanceProfile,
        GetInstanceProfile,
        ListInstanceProfiles,
        DeleteInstanceProfile,
        AddRoleToInstanceProfile,
        RemoveRoleFromInstanceProfile,
        ListInstanceProfilesForRole,
        SimulatePrincipalPolicy,
        SimulateCustomPolicy,
        GetContextKeysForPrincipalPolicy,
        GetContextKeysForCustomPolicy,
        GetAccountAuthorizationDetails,
        GetAccountSummary,
        GenerateServiceLastAccessedDetails,
        GetServiceLastAccessedDetails,
        CreateUser,
        GetUser,
        ListUsers,
        UpdateUser,
        DeleteUser,
        TagUser,
        UntagUser,
        ListUserTags,
        PutUserPermissionsBoundary,
        DeleteUserPermissionsBoundary,
        CreateAccountAlias,
        ListAccountAliases,
        DeleteAccountAlias,
        PutUserPolicy,
        GetUserPolicy,
        ListUserPolicies,
        DeleteUserPolicy,
        AttachUserPolicy,
        DetachUserPolicy,
        ListAttachedUserPolicies,
        CreateGroup,
        GetGroup,
        ListGroups,
        DeleteGroup,
        AddUserToGroup,
        RemoveUserFromGroup,
        ListGroupsForUser,
        PutGroupPolicy,
        GetGroupPolicy,
        ListGroupPolicies,
        DeleteGroupPolicy,
        AttachGroupPolicy,
        DetachGroupPolicy,
        ListAttachedGroupPolicies,
        CreateAccessKey,
        ListAccessKeys,
        UpdateAccessKey,
        DeleteAccessKey,
        GetAccessKeyLastUsed,
        CreateServiceSpecificCredential,
        ListServiceSpecificCredentials,
        UpdateServiceSpecificCredential,
        DeleteServiceSpecificCredential,
        ResetServiceSpecificCredential,
        GetOpenIDConnectProvider,
        ListOpenIDConnectProviders,
        DeleteOpenIDConnectProvider,
        UpdateOpenIDConnectProviderThumbprint,
        AddClientIDToOpenIDConnectProvider,
        RemoveClientIDFromOpenIDConnectProvider,
        TagOpenIDConnectProvider,
        UntagOpenIDConnectProvider,
        ListOpenIDConnectProviderTags,
        CreateSAMLProvider,
        GetSAMLProvider,
        ListSAMLProviders,
        UpdateSAMLProvider,
        DeleteSAMLProvider,
        TagSAMLProvider,
        UntagSAMLProvider,
        ListSAMLProviderTags,
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
        /// Unwrap what is to be wrapped with another key.
        ReEncryptFrom,
        /// Wrap what another key has wrapped.
        ReEncryptTo,
        CancelKeyDeletion,
        CreateAlias,
        UpdateAlias,
        DeleteAlias,
        ListAliases,
        ListKeys,
        EnableKey,
        DisableKey,
        ScheduleKeyDeletion,
        UpdateKeyDescription,
        GetKeyPolicy,
        PutKeyPolicy,
        ListKeyPolicies,
        CreateGrant,
        ListGrants,
        ListRetirableGrants,
        RetireGrant,
        RevokeGrant,
        TagResource,
        UntagResource,
        ListResourceTags,
        EnableKeyRotation,
        DisableKeyRotation,
        GetKeyRotationStatus,
        RotateKeyOnDemand,
        ListKeyRotations,
        GetKeyLastUsage,
        GenerateDataKeyWithoutPlaintext,
        GenerateDataKeyPair,
        GenerateDataKeyPairWithoutPlaintext,
        GenerateRandom,
        Sign,
        Verify,
        GetPublicKey,
        GenerateMac,
        VerifyMac,
        DeriveSharedSecret,
        Encapsulate,
        Decapsulate,
        GetParametersForImport,
        ImportKeyMaterial,
        DeleteImportedKeyMaterial,
    }
    /// The organisation's accounts and what bounds them.
    organizations: "organizations" {
        CreateOrganization,
        DescribeOrganization,
        CreateAccount,
        DescribeCreateAccountStatus,
        DescribeAccount,
        ListAccounts,
        ListAccountsForParent,
        ListRoots,
        CreateOrganizationalUnit,
        DescribeOrganizationalUnit,
        ListOrganizationalUnitsForParent,
        UpdateOrganizationalUnit,
        DeleteOrganizationalUnit,
        MoveAccount,
        ListParents,
        ListChildren,
        CloseAccount,
        CreatePolicy,
        UpdatePolicy,
        DeletePolicy,
        DescribePolicy,
        ListPolicies,
        AttachPolicy,
        DetachPolicy,
        ListPoliciesForTarget,
        ListTargetsForPolicy,
        EnablePolicyType,
        DisablePolicyType,
        DescribeEffectivePolicy,
        TagResource,
        UntagResource,
        ListTagsForResource,
    }
    /// Trails, and the events of an account.
    cloudtrail: "cloudtrail" {
        CreateTrail,
        UpdateTrail,
        DeleteTrail,
        DescribeTrails,
        GetTrail,
        ListTrails,
        GetTrailStatus,
        StartLogging,
        StopLogging,
        LookupEvents,
        GetEventSelectors,
        PutEventSelectors,
        ListPublicKeys,
        AddTags,
        RemoveTags,
        ListTags,
    }
    /// Buckets and objects.
    s3: "s3" {
        /// Learn which buckets the account has.
        ListAllMyBuckets,
        CreateBucket,
        DeleteBucket,
        /// List the objects of a bucket, and learn whether it is there.
        ListBucket,
        ListBucketVersions,
        ListBucketMultipartUploads,
        GetBucketLocation,
        /// Give a bucket tags while it is made.
        TagResource,
        GetBucketTagging,
        /// Give a bucket tags, or take them away.
        PutBucketTagging,
        GetBucketVersioning,
        PutBucketVersioning,
        GetBucketObjectLockConfiguration,
        PutBucketObjectLockConfiguration,
        GetBucketPolicy,
        PutBucketPolicy,
        DeleteBucketPolicy,
        GetBucketPolicyStatus,
        GetBucketPublicAccessBlock,
        /// Set what blocks public access, or take it away.
        PutBucketPublicAccessBlock,
        GetEncryptionConfiguration,
        PutEncryptionConfiguration,
        GetBucketLogging,
        PutBucketLogging,
        GetBucketOwnershipControls,
        PutBucketOwnershipControls,
        GetLifecycleConfiguration,
        PutLifecycleConfiguration,
        GetBucketNotification,
        PutBucketNotification,
        GetBucketCORS,
        PutBucketCORS,
        GetBucketAcl,
        PutBucketAcl,
        /// Read an object that a request names without its version.
        GetObject,
        /// Read the version of an object that a request names.
        GetObjectVersion,
        GetObjectAttributes,
        GetObjectVersionAttributes,
        /// Write an object, at once or in parts.
        PutObject,
        /// Delete an object, which leaves its versions.
        DeleteObject,
        /// Delete a version for good.
        DeleteObjectVersion,
        AbortMultipartUpload,
        ListMultipartUploadParts,
        GetObjectTagging,
        GetObjectVersionTagging,
        PutObjectTagging,
        PutObjectVersionTagging,
        DeleteObjectTagging,
        DeleteObjectVersionTagging,
        GetObjectAcl,
        GetObjectVersionAcl,
        PutObjectAcl,
        PutObjectVersionAcl,
        GetObjectRetention,
        PutObjectRetention,
        GetObjectLegalHold,
        PutObjectLegalHold,
        /// Shorten or lift what governance retains.
        BypassGovernanceRetention,
        /// Seal an object under another key.
        UpdateObjectEncryption,
    }
    /// Private endpoints.
    ec2: "ec2" {
        CreateVpcEndpoint,
        DescribeVpcEndpoints,
        ModifyVpcEndpoint,
        DeleteVpcEndpoints,
        DescribeVpcEndpointServices,
        CreateTags,
    }
    /// Log groups, their streams and events.
    logs: "logs" {
        CreateLogGroup,
        DeleteLogGroup,
        DescribeLogGroups,
        CreateLogStream,
        DeleteLogStream,
        DescribeLogStreams,
        PutLogEvents,
        GetLogEvents,
        FilterLogEvents,
        PutRetentionPolicy,
        DeleteRetentionPolicy,
        AssociateKmsKey,
        DisassociateKmsKey,
        PutMetricFilter,
        DescribeMetricFilters,
        DeleteMetricFilter,
        TestMetricFilter,
        PutResourcePolicy,
        DescribeResourcePolicies,
        DeleteResourcePolicy,
        PutSubscriptionFilter,
        DescribeSubscriptionFilters,
        DeleteSubscriptionFilter,
        PutLogGroupDeletionProtection,
        TagResource,
        UntagResource,
        ListTagsForResource,
    }
    /// The installation itself.
    moho: "moho" {
        /// Read the journal: decisions, calls and what came of them.
        ReadJournal,
        /// Learn that the installation was restored from a backup.
        GetRestore,
        /// Accept that, so that it serves again.
        AcceptRestore,
    }
}
