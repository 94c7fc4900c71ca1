//! The clouds that this build has: none, unless a feature adds one.

use std::sync::Arc;

use vault::custody::{Cloud, CustodyError};

/// Their names.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let built =
        [("aws", cfg!(feature = "aws")), ("azure", cfg!(feature = "azure")), ("gcp", cfg!(feature = "gcp"))];
    built.into_iter().filter_map(|(name, is_built)| is_built.then_some(name)).collect()
}

/// The clouds, by the process's own configuration. `single_org` says that the vault is declared to serve one organisation, whose
/// settings may then do without a role.
///
/// # Errors
/// [`CustodyError::Primitive`] where TLS cannot be set up.
pub async fn at_hand(single_org: bool) -> Result<Vec<Arc<dyn Cloud>>, CustodyError> {
    Ok(aws(single_org).await.into_iter().chain(azure()?).chain(gcp()?).collect())
}

#[cfg(feature = "aws")]
async fn aws(single_org: bool) -> Option<Arc<dyn Cloud>> {
    use custody_aws::{AwsCloud, OwnIdentity};

    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let own = if single_org { OwnIdentity::SingleOrganisation } else { OwnIdentity::Never };
    Some(Arc::new(AwsCloud::new(&config, own)))
}

#[cfg(not(feature = "aws"))]
async fn aws(_single_org: bool) -> Option<Arc<dyn Cloud>> {
    None
}

#[cfg(feature = "azure")]
fn azure() -> Result<Option<Arc<dyn Cloud>>, CustodyError> {
    use custody_azure::AzureCloud;
    use outbound::Network;
    use vault::custody::NoAssertions;

    // An assertion of the process's own needs an issuer that others can ask, which a machine by itself is not.
    Ok(Some(Arc::new(AzureCloud::new(&Network::public(), Arc::new(NoAssertions))?)))
}

#[cfg(not(feature = "azure"))]
fn azure() -> Result<Option<Arc<dyn Cloud>>, CustodyError> {
    Ok(None)
}

#[cfg(feature = "gcp")]
fn gcp() -> Result<Option<Arc<dyn Cloud>>, CustodyError> {
    use custody_gcp::GcpCloud;
    use outbound::Network;
    use vault::custody::NoAssertions;

    Ok(Some(Arc::new(GcpCloud::new(&Network::public(), Arc::new(NoAssertions))?)))
}

#[cfg(not(feature = "gcp"))]
fn gcp() -> Result<Option<Arc<dyn Cloud>>, CustodyError> {
    Ok(None)
}
