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

    successor = client.hybrid_keys.rotate(keys[0].id, name="second")
    assert successor.name == "second" and successor.id != keys[0].id and successor.algorithm == keys[0].algorithm
    assert client.sign(key_id=successor.id, payload=b"x").key_id == successor.id
    assert refused(PostQError, lambda: client.sign(key_id=keys[0].id, payload=b"x")).code == "key_superseded"
    verdict = client.verify(payload=b"", signature=signed[0][2], key_id=keys[0].id)
    assert verdict.ok, "a superseded key still verifies"
    done.append("rotate")

    revoked = client.hybrid_keys.revoke(keys[1].id)
    assert revoked["id"] == keys[1].id and client.hybrid_keys.revoke(keys[1].id) == revoked
    assert refused(PostQError, lambda: client.sign(key_id=keys[1].id, payload=b"x")).code == "key_revoked"
    assert keys[1].id in [key.id for key in client.hybrid_keys.list(include_revoked=True)]
    assert keys[1].id not in [key.id for key in client.hybrid_keys.list()]
    done.append("revoke")

    audit = client.hybrid_keys.audit(keys[0].id, limit=100)
    operations = [row.operation for row in audit]
    assert operations[-1] == "create" and operations.count("sign") == 3 and "rotate" in operations, operations
    assert {row.payload_size for row in audit if row.operation == "sign"} == {0, 8, 13}
    first = client.hybrid_keys.audit(keys[0].id, limit=1)
    assert len(first.data) == 1 and first.pagination.next_cursor
    done.append("audit")

    assert client.ledger.latest_checkpoint() is None
    entry = client.ledger.append(name="deploy", message="v1", subject_id="svc", data={"build": 7, "note": "ü"})
    assert entry.event_type == "custom.event" and entry.payload["data"]["data"] == {"build": 7, "note": "ü"}
    entries = client.ledger.entries(limit=1000)
    assert [e.seq for e in entries] == list(range(entry.seq + 1)) and entries.data[-1] == entry
    assert [e.seq for e in client.ledger.entries(since=entry.seq)] == [entry.seq]
    assert all(e.event_type == "key.rotated" for e in client.ledger.entries(event_type="key.rotated"))
    done.append("entries")

    sealed = client.ledger.seal()
    assert sealed.fresh and sealed.tree_size == entry.seq + 1 and not client.ledger.seal().fresh
    latest = client.ledger.latest_checkpoint()
    assert latest.tree_size == sealed.tree_size and latest.merkle_root_hex == sealed.merkle_root_hex
    assert [c.id for c in client.ledger.checkpoints(limit=5)] == [latest.id]
    done.append("seal")

    proof = client.ledger.proof(entry.id)
    assert proof.leaf_index == entry.seq and proof.checkpoint["treeSize"] == sealed.tree_size
    later = client.ledger.append(name="later")
    assert client.ledger.proof(later.id).checkpoint["treeSize"] > sealed.tree_size, "sealed for the proof"
    bundle = client.ledger.bundle()
    assert bundle.version == 1 and len(bundle.entries) == later.seq + 1 and len(bundle.checkpoints) == 2
    assert bundle.signing_keys[0]["id"] == latest.signing_key_id
    done.append("proofs")

    assert client.policies.list() == []
    rule = {"matchOperation": "key_create", "minPqLevel": 3}
    policy = client.policies.create(name="strong", action="enforce", rule=rule, environments=["ci"])
    assert policy.rule.min_pq_level == 3 and not policy.rule.require_hybrid and policy.environments == ["ci"]
    weak = lambda: client.hybrid_keys.create(name="w", algorithm="mldsa44+ed25519", metadata={"environment": "ci"})
    assert refused(PostQError, weak).code == "policy_violated"
    changed = client.policies.update(policy.id, action="audit", enabled=True)
    assert changed.action == "audit" and changed.rule == policy.rule and client.policies.get(policy.id) == changed
    assert weak().algorithm == "mldsa44+ed25519" and client.policies.list() == [changed]
    assert client.policies.delete(policy.id)["id"] == policy.id and client.policies.list() == []
    done.append("policies")

    refused(PostQNotFoundError, lambda: client.hybrid_keys.get("key_01h00000000000000000000000"))
    refused(PostQError, lambda: client.hybrid_keys.create(name=""))
    stranger = PostQ(api_key="pq_live_not_a_token_of_anyone_at_all", base_url=where["address"])
    refused(PostQAuthError, stranger.hybrid_keys.list)
    done.append("refusals")

    json.dump({"version": importlib.metadata.version("postq-sdk"), "done": done}, sys.stdout)


main()
