"""Opens stored keys from the format's description alone, and checks that every part fits every other.

Standard input: {kek, rows: [...]}, bytes in base64. Standard output: {opened, kekId}."""

import base64
import hashlib
import hmac
import json
import sys

from composite_reference import generate
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def unb64(text):
    return base64.b64decode(text, validate=True)


def jcs(value):
    """Enough of RFC 8785 for values of ASCII strings, small integers and null"""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def derive(kek, purpose, org):
    """K(purpose, org)"""
    info = b"postq-vault v1\x00" + purpose.encode() + b"\x00" + org.encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"", info=info).derive(kek)


def check(kek, kek_id, row):
    public = json.loads(row["public_key"])
    assert list(public) == ["v", "alg", "classical", "pq"] and public["v"] == 1
    pq, classical = unb64(public["pq"]), unb64(public["classical"])
    fingerprint = hashlib.sha256(pq + classical).hexdigest()
    org, key = row["org"], row["id"]

    tag = unb64(row["record_tag"])
    assert len(tag) == 41 and tag[:1] == b"\x01" and tag[1:9] == kek_id
    wrapped = unb64(row["wrapped_dek"])
    tagged = {
        "alg": row["algorithm"],
        "classicalKeyId": row["classical_key_id"],
        "fingerprint": fingerprint,
        "kekKeyId": row["kek_key_id"],
        "kekProvider": row["kek_provider"],
        "key": key,
        "keyProvider": row["key_provider"],
        "kind": row["kind"],
        "org": org,
        "pqKeyId": row["pq_key_id"],
        "pqProvider": row["pq_provider"],
        "v": 1,
        "wrappedSha256": hashlib.sha256(wrapped).hexdigest(),
    }
    expected = hmac.digest(derive(kek, "record", org), jcs(tagged), "sha256")
    assert hmac.compare_digest(tag[9:], expected), "record tag"

    assert wrapped[:1] == b"\x01" and wrapped[1:9] == kek_id and len(wrapped) == 1 + 8 + 12 + 32 + 16
    aad = jcs({"kekId": kek_id.hex(), "org": org, "purpose": "dek", "subject": key, "v": 1})
    dek = AESGCM(derive(kek, "dek", org)).decrypt(wrapped[9:21], wrapped[21:], aad)

    secrets = {}
    for half in ("pq", "classical"):
        sealed = unb64(row[half])
        assert sealed[:1] == b"\x01" and len(sealed) == 1 + 12 + 32 + 16
        bound = {
            "alg": row["algorithm"],
            "fingerprint": fingerprint,
            "half": half,
            "key": key,
            "kind": row["kind"],
            "org": org,
            "v": 1,
        }
        secrets[half] = AESGCM(dek).decrypt(sealed[1:13], sealed[13:], jcs(bound))
    _, derived_pq, derived_classical = generate(row["algorithm"], secrets["pq"], secrets["classical"])
    assert (derived_pq, derived_classical) == (pq, classical), "public halves"


def main():
    given = json.load(sys.stdin)
    kek = unb64(given["kek"])
    kek_id = hashlib.sha256(b"postq-vault kek id v1" + kek).digest()[:8]
    for row in given["rows"]:
        check(kek, kek_id, row)
    json.dump({"opened": len(given["rows"]), "kekId": kek_id.hex()}, sys.stdout)


main()
