//! Random bytes from the operating system.

use zeroize::Zeroizing;

/// The system has no random bytes to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct Unavailable;

/// `N` random bytes that are no secret.
///
/// # Errors
/// [`Unavailable`] where the system fails.
pub fn generate<const N: usize>() -> Result<[u8; N], Unavailable> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Unavailable)?;
    Ok(bytes)
}

/// 32 random bytes that are one, erased when dropped.
///
/// # Errors
/// [`Unavailable`] where the system fails.
pub fn generate_secret() -> Result<Zeroizing<[u8; 32]>, Unavailable> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| Unavailable)?;
    Ok(bytes)
}
