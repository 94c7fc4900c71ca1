"""Composite ML-DSA signatures, written from the published format alone, over dilithium-py and cryptography.

It shares no code with the product: it is what the product is checked against.
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65, ML_DSA_87

# name: (ML-DSA, ML-DSA signature length, classical, label, PH)
ALGORITHMS = {
    "mldsa44+ed25519": (ML_DSA_44, 2420, "ed25519", b"COMPSIG-MLDSA44-Ed25519-SHA512", hashlib.sha512),
    "mldsa44+ecdsa-p256": (ML_DSA_44, 2420, "p256", b"COMPSIG-MLDSA44-ECDSA-P256-SHA256", hashlib.sha256),
    "mldsa65+ecdsa-p256": (ML_DSA_65, 3309, "p256", b"COMPSIG-MLDSA65-ECDSA-P256-SHA512", hashlib.sha512),
    "mldsa65+ed25519": (ML_DSA_65, 3309, "ed25519", b"COMPSIG-MLDSA65-Ed25519-SHA512", hashlib.sha512),
    "mldsa87+ed25519": (ML_DSA_87, 4627, "ed25519", b"POSTQ-COMPSIG-MLDSA87-Ed25519-SHA512", hashlib.sha512),
    "mldsa87+ecdsa-p256": (ML_DSA_87, 4627, "p256", b"POSTQ-COMPSIG-MLDSA87-ECDSA-P256-SHA512", hashlib.sha512),
}


def message_representative(algorithm, payload, context):
    """M' = prefix || Label || len(ctx) || ctx || PH(payload)"""
    _, _, _, label, prehash = ALGORITHMS[algorithm]
    digest = prehash(payload).digest()
    return b"CompositeAlgorithmSignatures2025" + label + bytes([len(context)]) + context + digest


def generate(algorithm, pq_seed, classical_seed):
    """A key pair from two 32-byte seeds: (secrets, pq public key, classical public key)"""
    ml_dsa, _, classical, _, _ = ALGORITHMS[algorithm]
    pq_public, pq_secret = ml_dsa.key_derive(pq_seed)
    if classical == "ed25519":
        key = ed25519.Ed25519PrivateKey.from_private_bytes(classical_seed)
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    else:
        key = ec.derive_private_key(int.from_bytes(classical_seed, "big"), ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    return (pq_secret, key), pq_public, public


def sign_lamps(algorithm, secrets, payload, context):
    """The composite signature in the draft's encoding: ECDSA stays DER"""
    ml_dsa, _, classical, label, _ = ALGORITHMS[algorithm]
    pq_secret, key = secrets
    message = message_representative(algorithm, payload, context)
    pq = ml_dsa.sign(pq_secret, message, ctx=label)
    if classical == "ed25519":
        return pq + key.sign(message)
    return pq + key.sign(message, ec.ECDSA(hashes.SHA256()))


def verify_lamps(algorithm, pq_public, classical_public, payload, context, signature):
    """(ML-DSA half, classical half) of a signature in the draft's encoding"""
    ml_dsa, pq_length, classical, label, _ = ALGORITHMS[algorithm]
    message = message_representative(algorithm, payload, context)
    pq, trad = signature[:pq_length], signature[pq_length:]
    pq_ok = ml_dsa.verify(pq_public, message, pq, ctx=label)
    try:
        if classical == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(classical_public).verify(trad, message)
        else:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), classical_public)
            key.verify(trad, message, ec.ECDSA(hashes.SHA256()))
        classical_ok = True
    except InvalidSignature:
        classical_ok = False
    return pq_ok, classical_ok
