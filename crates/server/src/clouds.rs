//! The clouds that this build has: none, unless a feature adds one.

use std::sync::Arc;

use vault::custody::Cloud;

/// Their names.
pub const NAMES: &[&str] = if cfg!(feature = "aws") { &["aws"] } else { &[] };

/// The clouds, by the process's own configuration. `single_org` says that the vault is declared to serve one organisation, whose
/// settings may then do without a role.
#[cfg(feature = "aws")]
pub async fn at_hand(single_org: bool) -> Vec<Arc<dyn Cloud>> {
    use custody_aws::{AwsCloud, OwnIdentity};

    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let own = if single_org { OwnIdentity::SingleOrganisation } else { OwnIdentity::Never };
    vec![Arc::new(AwsCloud::new(&config, own))]
}

/// The same in a build without any.
#[cfg(not(feature = "aws"))]
pub async fn at_hand(_single_org: bool) -> Vec<Arc<dyn Cloud>> {
    Vec::new()
}
