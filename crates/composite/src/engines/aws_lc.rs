//! AWS-LC, which has assembly for all three primitives on the processors that servers have.

pub(crate) mod ecdsa_p256;
pub(crate) mod ed25519;
pub(crate) mod ml_dsa;

pub(crate) fn name() -> String {
    ["AWS-LC ", aws_lc_rs::awslc_version()].concat()
}
