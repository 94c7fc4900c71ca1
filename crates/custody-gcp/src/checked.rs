//! Bytes that travel with their CRC32C (Castagnoli), by which each side sees that what came is what was sent.

/// The checksum of bytes, as Cloud KMS writes it.
pub(crate) fn crc32c(bytes: &[u8]) -> i64 {
    i64::from(crc32c::crc32c(bytes))
}

/// Bytes of an answer, if they have the checksum that came with them, which has to.
pub(crate) fn checked(bytes: &[u8], checksum: Option<i64>) -> Option<&[u8]> {
    (checksum == Some(crc32c(bytes))).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_their_checksum_are_none() {
        // RFC 3720 appendix B.4: 32 bytes of zeroes.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(checked(b"signature", Some(crc32c(b"signature"))), Some(&b"signature"[..]));
        assert_eq!(checked(b"signature", Some(crc32c(b"signaturE"))), None);
        assert_eq!(checked(b"signature", None), None);
    }
}
