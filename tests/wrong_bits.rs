//! A wrong bit anywhere: nothing that is not the signature verifies, and nothing panics.

use composite::{
    Algorithm, ClassicalSecret, Context, MessageRepresentative, PqSecret, Prehash, PublicKey, Signature,
    SigningInput, verify,
};

struct Signed {
    algorithm: Algorithm,
    public_key: PublicKey,
    message: MessageRepresentative,
    signature: Signature,
}

impl Signed {
    fn new(algorithm: Algorithm, byte: u8, payload: &[u8], context: &str) -> Self {
        let pq = PqSecret::from_bytes(algorithm.pq(), &[byte; 32]).unwrap();
        let classical = ClassicalSecret::from_bytes(algorithm.classical(), &[byte ^ 0x55; 32]).unwrap();
        let public_key = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap();
        let context = Context::new(context).unwrap();
        let input = SigningInput::user(algorithm, &context, &Prehash::derive(algorithm, payload)).unwrap();
        let signature =
            Signature::assemble(algorithm, &pq.sign(&input).unwrap(), &classical.sign(&input).unwrap())
                .unwrap();
        let signed = Self { algorithm, public_key, message: input.message().clone(), signature };
        assert!(verify(&signed.public_key, &signed.message, &signed.signature).ok());
        signed
    }

    /// Whether these bytes pass for the signature.
    fn accepts(&self, signature: &[u8]) -> bool {
        Signature::from_bytes(self.algorithm, signature)
            .is_ok_and(|signature| verify(&self.public_key, &self.message, &signature).ok())
    }
}

#[test]
fn no_flipped_bit_of_a_signature_verifies() {
    each_on_its_own_thread(|algorithm| {
        let signed = Signed::new(algorithm, 1, b"payload", "");
        let mut bytes = signed.signature.to_bytes();
        let pq_len = algorithm.pq().signature_len();
        for bit in 0..bytes.len() * 8 {
            flip(&mut bytes, bit);
            let signature = Signature::from_bytes(algorithm, &bytes).unwrap();
            let verdict = verify(&signed.public_key, &signed.message, &signature);
            assert!(!verdict.ok(), "{algorithm}: bit {bit} is not looked at");
            // The halves are reported apart: the one that was not touched still verifies.
            assert_eq!((verdict.pq_ok, verdict.classical_ok), (bit / 8 >= pq_len, bit / 8 < pq_len));
            flip(&mut bytes, bit);
        }
        assert!(signed.accepts(&bytes));
    });
}

#[test]
fn no_flipped_bit_of_a_public_key_verifies() {
    each_on_its_own_thread(|algorithm| {
        let signed = Signed::new(algorithm, 2, b"payload", "");
        let (pq, classical) = (signed.public_key.pq().to_vec(), signed.public_key.classical().to_vec());
        let mut bytes = [pq.as_slice(), &classical].concat();
        for bit in 0..bytes.len() * 8 {
            flip(&mut bytes, bit);
            let (flipped_pq, flipped_classical) = bytes.split_at(pq.len());
            if let Ok(key) = PublicKey::from_halves(algorithm, flipped_pq, flipped_classical) {
                assert!(!verify(&key, &signed.message, &signed.signature).ok(), "{algorithm}: bit {bit}");
                assert_ne!(key.fingerprint(), signed.public_key.fingerprint());
            }
            flip(&mut bytes, bit);
        }
    });
}

#[test]
fn no_truncation_and_no_extension_verifies() {
    for algorithm in Algorithm::ALL {
        let signed = Signed::new(algorithm, 3, b"payload", "");
        let bytes = signed.signature.to_bytes();
        let lamps = signed.signature.to_lamps().unwrap();
        for length in 0..bytes.len() {
            assert!(!signed.accepts(&bytes[..length]), "{algorithm}: {length} bytes");
            assert!(!signed.accepts(&bytes[bytes.len() - length..]), "{algorithm}: the last {length} bytes");
        }
        for length in 0..lamps.len() {
            assert!(
                Signature::from_lamps(algorithm, &lamps[..length]).is_err(),
                "{algorithm}: {length} bytes"
            );
        }
        for extra in [1, 64, 4096] {
            assert!(!signed.accepts(&[bytes.as_slice(), &vec![0; extra]].concat()));
            let longer = [lamps.as_slice(), &vec![0; extra]].concat();
            assert!(Signature::from_lamps(algorithm, &longer).is_err());
        }
        let json = signed.public_key.to_json();
        assert_eq!(PublicKey::from_json(&json), Ok(signed.public_key));
        for length in 0..json.len() {
            assert!(PublicKey::from_json(json.split_at(length).0).is_err());
        }
    }
}

#[test]
fn halves_do_not_move_between_keys_messages_contexts_or_algorithms() {
    for algorithm in Algorithm::ALL {
        let signed = Signed::new(algorithm, 4, b"payload", "");
        let others = [
            ("another key", Signed::new(algorithm, 5, b"payload", "")),
            ("another message", Signed::new(algorithm, 4, b"Payload", "")),
            ("another context", Signed::new(algorithm, 4, b"payload", "c")),
        ];
        for (what, other) in &others {
            for (pq, classical) in [
                (signed.signature.pq(), other.signature.classical()),
                (other.signature.pq(), signed.signature.classical()),
                (other.signature.pq(), other.signature.classical()),
            ] {
                assert!(!signed.accepts(&[pq, classical].concat()), "{algorithm}: a half of {what}");
            }
        }
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let other = Signed::new(other, 4, b"payload", "");
            assert!(!signed.accepts(&other.signature.to_bytes()));
            assert!(!verify(&other.public_key, &signed.message, &signed.signature).ok());
            assert!(!verify(&signed.public_key, &other.message, &signed.signature).ok());
            // The same halves under the other algorithm's name: its label binds them to the first.
            if let Ok(renamed) = Signature::from_bytes(other.algorithm, &signed.signature.to_bytes()) {
                assert!(!verify(&other.public_key, &other.message, &renamed).ok());
            }
        }
    }
}

#[test]
fn a_public_key_of_another_shape_is_refused() {
    let key = Signed::new(Algorithm::DEFAULT, 6, b"", "").public_key;
    let good = key.to_json();
    assert!(good.starts_with(r#"{"v":1,"alg":"mldsa65+ed25519","classical":""#));
    for bad in [
        good.replace(r#""v":1"#, r#""v":2"#),
        good.replace(r#""v":1,"#, ""),
        good.replace("mldsa65+ed25519", "mldsa44+ed25519"),
        good.replace("mldsa65+ed25519", "rsa"),
        good.replace('}', r#","x":1}"#),
        good.replace(r#""v":1"#, r#""v":1,"v":1"#),
        good.replace("=", ""),
        String::new(),
        "[]".into(),
    ] {
        assert!(PublicKey::from_json(&bad).is_err(), "{}", bad);
    }
}

/// Two at a time would leave cores idle and six at once memory busy; the tests run beside each other anyway.
fn each_on_its_own_thread(test: impl Fn(Algorithm) + Sync) {
    std::thread::scope(|scope| {
        for algorithm in Algorithm::ALL {
            let test = &test;
            scope.spawn(move || test(algorithm));
        }
    });
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}
