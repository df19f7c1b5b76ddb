//! Families of Bedrock's operations: what each is called, its method and its path, said once, as the service's model has them.

/// An operation for each line: `Name = "METHOD" "/path/{label}"`.
macro_rules! operations {
    ($(#[$doc:meta])* $family:ident { $($operation:ident = $method:literal $template:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $family {
            $(
                #[doc = concat!("`", $method, " ", $template, "`")]
                $operation,
            )+
        }

        impl $family {
            /// Every operation.
            pub fn all() -> impl Iterator<Item = Self> {
                [$(Self::$operation),+].into_iter()
            }

            /// AWS's name for it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => stringify!($operation),)+
                }
            }

            /// Its path, with the name of its label in braces.
            #[must_use]
            pub fn template(self) -> &'static str {
                match self {
                    $(Self::$operation => $template,)+
                }
            }

            fn method(self) -> &'static str {
                match self {
                    $(Self::$operation => $method,)+
                }
            }

            /// The operation of a method and the labels of a path, with the label that is a name; empty if there is none.
            pub(crate) fn find<'a>(method: &str, labels: &[&'a str]) -> Option<(Self, &'a str)> {
                let fits = |operation: &Self| {
                    operation.method() == method && $crate::bedrock::operations::fits(operation.template(), labels)
                };
                let label = labels.get(1).copied().unwrap_or_default();
                Self::all().find(fits).map(|operation| (operation, label))
            }

            /// Whether a path that begins so is one of these operations', whatever follows.
            pub(crate) fn begins(first: &str) -> bool {
                Self::all().any(|operation| operation.template().split('/').nth(1) == Some(first))
            }
        }
    };
}

pub(crate) use operations;

/// Whether a path is one of a template: what stands in braces is any label.
pub(crate) fn fits(template: &str, labels: &[&str]) -> bool {
    let mut parts = template.trim_matches('/').split('/');
    let same = |(part, label): (&str, &&str)| part.starts_with('{') || part == *label;
    parts.clone().count() == labels.len() && parts.by_ref().zip(labels).all(same)
}
