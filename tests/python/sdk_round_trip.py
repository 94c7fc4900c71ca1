"""Drives the published client against a server. Standard input: {address, token}. Standard output: what was done."""

import importlib.metadata
import json
import sys

from postq import PostQ
from postq.errors import PostQAuthError, PostQError, PostQNotFoundError


def refused(error, call):
    try:
        call()
    except error as refusal:
        assert type(refusal) is error and refusal.code and str(refusal), refusal
        return refusal
    raise AssertionError(f"{error.__name__} was not raised")


def main():
    where = json.load(sys.stdin)
    client = PostQ(api_key=where["token"], base_url=where["address"], max_retries=0)
    done = []

    assert client.health()["data"]["status"] == "ok"
    done.append("health")

    keys = []
    for algorithm in ("mldsa44+ed25519", "mldsa65+ed25519", "mldsa87+ed25519"):
        key = client.hybrid_keys.create(name=algorithm, algorithm=algorithm, metadata={"team": "release"})
        assert key.algorithm == algorithm and key.revoked_at is None and key.metadata == {"team": "release"}
        assert json.loads(key.public_key)["alg"] == algorithm
        keys.append(key)
    done.append("create")

    page = client.hybrid_keys.list(limit=2)
    assert [key.id for key in page] == [keys[2].id, keys[1].id] and page.pagination.limit == 2
    rest = client.hybrid_keys.list(limit=2, cursor=page.pagination.next_cursor, include_revoked=True)
    assert [key.id for key in rest] == [keys[0].id] and rest.pagination.next_cursor is None
    only = client.hybrid_keys.list(algorithm="mldsa87+ed25519")
    assert [key.id for key in only] == [keys[2].id]
    done.append("list")

    assert client.hybrid_keys.get(keys[0].id) == keys[0]
    done.append("get")

    signed = []
    for key in keys:
        for payload in (b"", b"bytes \x00\xff", "text, ümlaut"):
            signature = client.sign(key_id=key.id, payload=payload, metadata={"build": 7})
            assert signature.key_id == key.id and signature.public_key == key.public_key
            assert signature.payload_size == len(payload.encode() if isinstance(payload, str) else payload)
            signed.append((key, payload, signature.signature))
    done.append("sign")

    for key, payload, signature in signed:
        for which in ({"key_id": key.id}, {"public_key": key.public_key}):
            verdict = client.verify(payload=payload, signature=signature, **which)
            assert verdict.ok and verdict.classical_ok and verdict.pq_ok and verdict.algorithm == key.algorithm
            verdict = client.verify(payload=b"another", signature=signature, **which)
            assert not (verdict.ok or verdict.classical_ok or verdict.pq_ok)
    done.append("verify")

    refused(PostQNotFoundError, lambda: client.hybrid_keys.get("key_01h00000000000000000000000"))
    refused(PostQError, lambda: client.hybrid_keys.create(name=""))
    stranger = PostQ(api_key="pq_live_not_a_token_of_anyone_at_all", base_url=where["address"])
    refused(PostQAuthError, stranger.hybrid_keys.list)
    done.append("refusals")

    json.dump({"version": importlib.metadata.version("postq-sdk"), "done": done}, sys.stdout)


main()
