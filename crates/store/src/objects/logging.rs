//! Where access to a bucket is logged to.

use moho_terms::BucketName;
use serde::{Deserialize, Serialize};

/// How the keys of delivered logs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum LogKeyFormat {
    /// `PREFIXyyyy-mm-dd-hh-mm-ss-UNIQUE`
    #[default]
    Simple,
    /// In folders by account, region, bucket and day, by the time of what is logged.
    ByEventTime,
    /// The same by the time of the delivery.
    ByDeliveryTime,
}

/// Where access to a bucket is logged to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccessLogging {
    /// The bucket that the logs are put into, of the same account.
    pub bucket: BucketName,
    /// What their keys begin with.
    pub prefix: String,
    /// How their keys go on.
    #[serde(default)]
    pub format: LogKeyFormat,
}
