//! The names services sign as.

macro_rules! signing_names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// The service in a signature's scope.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum SigningName {
            $($(#[$doc])* $variant),+
        }

        impl SigningName {
            /// The name as it stands in a credential scope.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The service with this name in a credential scope; `None` if moho does not know it.
            #[must_use]
            pub fn from_scope(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

signing_names! {
    /// Bedrock's runtime, catalogue and agents; all bearer keys.
    Bedrock = "bedrock",
    /// The OpenAI-compatible surface.
    BedrockMantle = "bedrock-mantle",
    /// Temporary credentials.
    Sts = "sts",
    /// Identity administration.
    Iam = "iam",
    /// Private endpoints.
    Ec2 = "ec2",
    /// The organisation.
    Organizations = "organizations",
    /// Keys.
    Kms = "kms",
    /// Logs.
    Logs = "logs",
    /// Trails.
    CloudTrail = "cloudtrail",
    /// Objects.
    S3 = "s3",
}
