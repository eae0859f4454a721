//! Random bytes, for ids, nonces and secrets.

/// The system's random generator failed.
#[derive(Debug, thiserror::Error)]
#[error("no random bytes")]
pub(crate) struct NoRandom;

/// `N` random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}
