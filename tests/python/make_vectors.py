"""Writes tests/vectors/composite.json: signatures of the independent implementation for all six algorithms, with and
without a context, from fixed seeds. Run by hand: target/tools/venv/bin/python tests/python/make_vectors.py"""

import base64
import hashlib
import json
import pathlib

from composite_reference import ALGORITHMS, generate, sign_lamps, verify_lamps


def b64(raw):
    return base64.b64encode(raw).decode()


def seed(*parts):
    return hashlib.sha256("/".join(("postq-vault test vectors", *parts)).encode()).digest()


def main():
    payload = "PostQ Vault: two keys, one signature.\n".encode()
    context = b"test vectors v1"
    tests = []
    for algorithm in ALGORITHMS:
        pq_seed, classical_seed = seed(algorithm, "pq"), seed(algorithm, "classical")
        secrets, pq, classical = generate(algorithm, pq_seed, classical_seed)
        plain = sign_lamps(algorithm, secrets, payload, b"")
        with_context = sign_lamps(algorithm, secrets, payload, context)
        for ctx, signature in ((b"", plain), (context, with_context)):
            assert verify_lamps(algorithm, pq, classical, payload, ctx, signature) == (True, True)
        tests.append(
            {
                "algorithm": algorithm,
                "pqSeed": b64(pq_seed),
                "classicalSecret": b64(classical_seed),
                "pq": b64(pq),
                "classical": b64(classical),
                "signature": b64(plain),
                "signatureWithContext": b64(with_context),
            }
        )
    document = {
        "source": "tests/python/make_vectors.py, over dilithium-py and cryptography; signatures in the LAMPS encoding",
        "payload": b64(payload),
        "context": b64(context),
        "tests": tests,
    }
    target = pathlib.Path(__file__).parent.parent / "vectors" / "composite.json"
    target.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
