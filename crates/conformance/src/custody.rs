//! The suite for custody providers.

use composite::{
    Algorithm, ClassicalAlgorithm, ClassicalSecret, Context, MlDsaSet, PqSecret, Prehash, PublicKey,
    Signature, SigningInput, verify,
};
use vault::{
    Timestamp,
    custody::{
        ClassicalSigner, CloudFault, CloudName, CustodyError, Half, Kept, KeyEncryption, NewHalf,
        OpenedHalves, PqSigner, RootKek, SealedSecret, Subject, WrappedDek,
    },
    id::{KeyId, OrgId},
    record_tag::RecordTag,
};

/// Whether a provider's wrapping is bound to its subject, or, as where it takes a public key alone, the record's tag must say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binds {
    /// It opens for its subject alone.
    Subject,
    /// It opens for whoever may unwrap.
    Nothing,
}

/// A data key opens for its own subject, as far as the provider binds it, and for nothing that was changed.
pub async fn key_encryption(kek: &dyn KeyEncryption, binds: Binds) {
    let (org, key) = ids();
    let subject = Subject { org: &org, key: &key };
    let new = kek.generate_dek(subject).await.unwrap();
    let again = kek.generate_dek(subject).await.unwrap();
    assert_ne!(new.dek.0, again.dek.0, "two data keys are the same");
    assert_ne!(new.wrapped.bytes, again.wrapped.bytes);
    assert!(!contains(&new.wrapped.bytes, new.dek.0.as_slice()), "the data key stands in its wrapping");

    let opened = kek.unwrap_dek(subject, &new.wrapped).await.unwrap();
    assert_eq!(opened.0, new.dek.0);
    assert!(kek.rewrap_dek(subject, &new.wrapped).await.unwrap().is_none(), "it was current already");

    let (other_org, other_key) = ids();
    for other in [Subject { org: &other_org, key: &key }, Subject { org: &org, key: &other_key }] {
        let opened = kek.unwrap_dek(other, &new.wrapped).await;
        match binds {
            Binds::Subject => {
                let refused = opened.err();
                assert_eq!(refused, Some(CustodyError::NotAuthentic), "it opened for another subject");
            }
            Binds::Nothing => assert_eq!(opened.unwrap().0, new.dek.0),
        }
    }
    for bit in 0..new.wrapped.bytes.len() * 8 {
        let mut bytes = new.wrapped.bytes.clone();
        flip(&mut bytes, bit);
        let changed = WrappedDek { bytes, ..new.wrapped.clone() };
        assert!(kek.unwrap_dek(subject, &changed).await.is_err(), "bit {bit} is not looked at");
    }
    for length in 0..new.wrapped.bytes.len() {
        let mut bytes = new.wrapped.bytes.clone();
        bytes.truncate(length);
        let cut = WrappedDek { bytes, ..new.wrapped.clone() };
        assert!(kek.unwrap_dek(subject, &cut).await.is_err(), "{length} bytes were enough");
    }
}

/// A tag is its record's and its organisation's alone.
pub async fn root_kek(root: &dyn RootKek) {
    let (org, _) = ids();
    let (other_org, _) = ids();
    let tag = root.tag(&org, b"record").await.unwrap();
    assert_eq!(tag.kek(), root.current().await.unwrap());
    assert!(root.known().await.unwrap().contains(&tag.kek()));
    assert_eq!(root.check(&org, b"record", &tag).await, Ok(true));
    assert_eq!(root.check(&org, b"Record", &tag).await, Ok(false));
    assert_eq!(root.check(&org, b"", &tag).await, Ok(false));
    assert_eq!(root.check(&other_org, b"record", &tag).await, Ok(false));
    for bit in 0..tag.as_bytes().len() * 8 {
        let mut bytes = *tag.as_bytes();
        flip(&mut bytes, bit);
        let passes = match RecordTag::from_bytes(&bytes) {
            Some(tag) => root.check(&org, b"record", &tag).await == Ok(true),
            None => false,
        };
        assert!(!passes, "bit {bit} is not looked at");
    }
}

/// What an organisation handed over opens for it and for its cloud, and for nothing that was changed.
pub async fn secrets(root: &dyn RootKek) {
    let ((org, _), (other_org, _)) = (ids(), ids());
    let sealed = root.seal_secret(&org, CloudName::Azure, b"a secret").await.unwrap();
    assert!(!contains(&sealed.0, b"a secret"));
    assert_eq!(sealed.kek(), Some(root.current().await.unwrap()));
    assert_eq!(root.open_secret(&org, CloudName::Azure, &sealed).await.unwrap().as_slice(), b"a secret");
    assert_ne!(sealed, root.seal_secret(&org, CloudName::Azure, b"a secret").await.unwrap());
    for (org, cloud) in [(&other_org, CloudName::Azure), (&org, CloudName::Gcp)] {
        assert_eq!(root.open_secret(org, cloud, &sealed).await.err(), Some(CustodyError::NotAuthentic));
    }
    for bit in 0..sealed.0.len() * 8 {
        let mut bytes = sealed.0.clone();
        flip(&mut bytes, bit);
        let changed = SealedSecret(bytes);
        assert!(
            root.open_secret(&org, CloudName::Azure, &changed).await.is_err(),
            "bit {bit} is not looked at"
        );
    }
    for length in 0..sealed.0.len() {
        let cut = SealedSecret(sealed.0[..length].to_vec());
        assert!(root.open_secret(&org, CloudName::Azure, &cut).await.is_err(), "{length} bytes were enough");
    }
}

/// While a key-encryption key is being changed, the previous one's bytes open and are moved; afterwards they do not.
pub async fn kek_change<K: KeyEncryption + RootKek>(before: &K, both: &K, after: &K) {
    let (org, key) = ids();
    let subject = Subject { org: &org, key: &key };
    let old = before.generate_dek(subject).await.unwrap();
    let old_tag = before.tag(&org, b"record").await.unwrap();
    let old_secret = before.seal_secret(&org, CloudName::Gcp, b"a secret").await.unwrap();
    let opened = both.open_secret(&org, CloudName::Gcp, &old_secret).await.unwrap();
    assert_eq!(opened.as_slice(), b"a secret");
    assert!(after.open_secret(&org, CloudName::Gcp, &old_secret).await.is_err());

    assert_eq!(both.unwrap_dek(subject, &old.wrapped).await.unwrap().0, old.dek.0);
    assert_eq!(both.check(&org, b"record", &old_tag).await, Ok(true));
    let moved = both.rewrap_dek(subject, &old.wrapped).await.unwrap().expect("it was the previous key's");
    assert_eq!(after.unwrap_dek(subject, &moved).await.unwrap().0, old.dek.0);

    let unknown = CustodyError::UnknownKek(before.current().await.unwrap());
    assert_eq!(after.unwrap_dek(subject, &old.wrapped).await.err(), Some(unknown.clone()));
    assert_eq!(after.check(&org, b"record", &old_tag).await, Err(unknown));
}

/// A classical half signs what verifies under its public key, and under no other.
pub async fn classical_signer(signer: &dyn ClassicalSigner, holds: &[ClassicalAlgorithm]) {
    for algorithm in [Algorithm::MlDsa65Ed25519, Algorithm::MlDsa65EcdsaP256] {
        if !holds.contains(&algorithm.classical()) {
            let (org, key) = ids();
            let refused = signer.generate(Subject { org: &org, key: &key }, algorithm.classical()).await;
            assert_eq!(refused.err(), Some(CustodyError::NotHeldHere));
            continue;
        }
        let (org, key) = ids();
        let subject = Subject { org: &org, key: &key };
        let new = signer.generate(subject, algorithm.classical()).await.unwrap();
        let public_key =
            PublicKey::from_halves(algorithm, pq(algorithm.pq()).public_key(), &new.public_key).unwrap();
        let input = input(algorithm);
        let opened = opened(algorithm, &new, None);
        let half = half(&opened, &new);
        let signature = signer.sign(half, &public_key, &input).await.unwrap();
        let blank = vec![0; algorithm.pq().signature_len()];
        let signature = Signature::assemble(algorithm, &blank, &signature).unwrap();
        assert!(verify(&public_key, input.message(), &signature).classical_ok);

        let other = ClassicalSecret::from_bytes(algorithm.classical(), &[7; 32]).unwrap();
        let other = PublicKey::from_halves(algorithm, public_key.pq(), other.public_key()).unwrap();
        let refused = signer.sign(half, &other, &input).await;
        assert_refuses_another(half, refused.err().unwrap());
    }
}

/// An ML-DSA half signs what verifies under its public key, and under no other.
pub async fn pq_signer(signer: &dyn PqSigner) {
    for algorithm in [Algorithm::MlDsa44Ed25519, Algorithm::MlDsa65Ed25519, Algorithm::MlDsa87Ed25519] {
        let (org, key) = ids();
        let subject = Subject { org: &org, key: &key };
        let new = signer.generate(subject, algorithm.pq()).await.unwrap();
        let classical = ClassicalSecret::from_bytes(ClassicalAlgorithm::Ed25519, &[7; 32]).unwrap();
        let classical = classical.public_key();
        let public_key = PublicKey::from_halves(algorithm, &new.public_key, classical).unwrap();
        let input = input(algorithm);
        let opened = opened(algorithm, None, &new);
        let half = half(&opened, &new);
        let first = signer.sign(half, &public_key, &input).await.unwrap();
        let second = signer.sign(half, &public_key, &input).await.unwrap();
        assert_ne!(first, second, "signatures are hedged");
        let signature = Signature::assemble(algorithm, &first, &[0; 64]).unwrap();
        assert!(verify(&public_key, input.message(), &signature).pq_ok);

        let other = PublicKey::from_halves(algorithm, pq(algorithm.pq()).public_key(), classical).unwrap();
        let refused = signer.sign(half, &other, &input).await;
        assert_refuses_another(half, refused.err().unwrap());
    }
}

/// Whoever opened the secret knows that it is another's; a cloud's answer is another's than was asked for.
fn assert_refuses_another(half: Half<'_>, refused: CustodyError) {
    match (half, refused) {
        (Half::Opened(_), CustodyError::OtherPublicKey)
        | (Half::AtProvider(_), CustodyError::Cloud { fault: CloudFault::WrongAnswer, .. }) => {}
        (_, refused) => panic!("{refused}"),
    }
}

/// What the vault would open of a half that was just made.
fn opened<'a>(
    algorithm: Algorithm,
    classical: impl Into<Option<&'a NewHalf>>,
    pq: impl Into<Option<&'a NewHalf>>,
) -> OpenedHalves {
    let secret = |new: Option<&'a NewHalf>| match new.map(|new| &new.secret) {
        Some(Kept::Here(secret)) => Some(secret),
        _ => None,
    };
    OpenedHalves::expand(algorithm, secret(classical.into()), secret(pq.into())).unwrap()
}

fn half<'a>(opened: &'a OpenedHalves, new: &'a NewHalf) -> Half<'a> {
    match &new.secret {
        Kept::Here(_) => Half::Opened(opened),
        Kept::AtProvider(id) => Half::AtProvider(id),
    }
}

fn input(algorithm: Algorithm) -> SigningInput {
    let prehash = Prehash::derive(algorithm, b"payload");
    SigningInput::user(algorithm, &Context::default(), &prehash).unwrap()
}

fn pq(set: MlDsaSet) -> PqSecret {
    PqSecret::from_bytes(set, &[9; 32]).unwrap()
}

fn ids() -> (OrgId, KeyId) {
    let now = Timestamp::now();
    (OrgId::generate(now).unwrap(), KeyId::generate(now).unwrap())
}

fn flip(bytes: &mut [u8], bit: usize) {
    let byte = bytes.get_mut(bit / 8).unwrap();
    *byte ^= 1 << (bit % 8);
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
