"""Verifies an audit ledger's bundle, a key's lineage or a signature's receipt, from the published format alone.

It shares no code with the product: it is what the product is checked against. Nothing in a document is trusted, and
nothing is pinned either: "ok" says that the document agrees with itself, not whose vault it came from.

Standard input, one of: {"what": "bundle", "pages": [bundle, ...]}, {"what": "lineage", "document": lineage},
{"what": "receipt", "document": receipt, "payload": base64}; or a bundle, lineage or receipt as the API gave it, and for
a receipt the file that was signed as the argument.
Standard output: {"ok": true, "entries", "treeSize", "root"}, {"ok": true, "keys"} or {"ok": true, "seq", "revocation"};
on any fault {"ok": false, "why"}."""

import base64
import hashlib
import json
import re
import sys
from typing import NamedTuple

from composite_reference import ALGORITHMS, verify_lamps

MAX_INTEGER = 2**53 - 1
ZEROS = bytes(32)
PQ_PUBLIC_LENGTHS = {2420: 1312, 3309: 1952, 4627: 2592}  # by ML-DSA signature length
CLASSICAL_PUBLIC_LENGTHS = {"ed25519": 32, "p256": 65}
CHECKPOINT_CONTEXT = b"postq-vault checkpoint v1"
SUCCESSION_CONTEXT = b"postq-vault succession v1"
RESERVED_CONTEXT = b"postq-vault"

PAYLOAD_MEMBERS = {"actorId", "data", "eventType", "id", "issuedAt", "org", "seq", "subjectId", "v"}
# What `data` holds, of the events whose type alone says it.
DATA_MEMBERS = {
    "key.created": "algorithm fingerprint kekProvider keyId keyProvider kind pqProvider",
    "key.rotated": "predecessor statementSha256 successor",
    "key.revoked": "fingerprint keyId revokedAt",
    "signature.issued": "algorithm contextBase64 fingerprint keyId metadata payloadSha256 payloadSize ph phAlg "
    "signatureSha256",
    "signature.withheld": "eventId keyId",
}
OTHER_EVENTS = (
    "signature.refused signature.verified vault.settings_changed policy.changed policy.violated api_key.created "
    "api_key.revoked custom.event"
).split()


class Fault(Exception):
    """What is wrong with the document."""


def require(condition, why):
    if not condition:
        raise Fault(why)


# JSON, and reading members of it


def parse(text):
    """JSON as strictly as JCS needs it: what two parsers could read differently is refused."""

    def unique(pairs):
        require(len(dict(pairs)) == len(pairs), "JSON: a duplicate name")
        return dict(pairs)

    def integer(digits):
        require(len(digits) <= 17 and abs(int(digits)) <= MAX_INTEGER, "JSON: an integer beyond 2^53-1")
        return int(digits)

    def refuse(number):
        raise Fault(f"JSON: {number} is not an integer")

    return json.loads(text, object_pairs_hook=unique, parse_int=integer, parse_float=refuse, parse_constant=refuse)


def jcs(value):
    """RFC 8785, for values without floats. Names are ordered by UTF-16 code units, which code points are not."""

    def text(value):
        if isinstance(value, dict):
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return "{" + ",".join(f"{text(name)}:{text(value[name])}" for name in names) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(text, value)) + "]"
        return json.dumps(value, ensure_ascii=False)  # strings are escaped just as RFC 8785 has it

    return text(value).encode()


def get(record, name, *kinds):
    """A member of exactly one of these types (True is not 1)."""
    require(type(record) is dict and name in record, f"{name} is missing")
    require(type(record[name]) in kinds, f"{name} is of the wrong type")
    return record[name]


def only(record, names, what):
    require(type(record) is dict and set(record) == set(names), f"{what} has other members than it should")


def digest_of(text):
    """32 bytes of lower-case hex: of the many spellings of one digest only one is written."""
    require(type(text) is str and re.fullmatch("[0-9a-f]{64}", text), f"not a digest: {text}")
    return bytes.fromhex(text)


def digests(record, name):
    return [digest_of(text) for text in get(record, name, list)]


def unb64(text):
    raw = base64.b64decode(text, validate=True)
    require(base64.b64encode(raw).decode() == text, "base64 is not canonical")
    return raw


def time(record, name):
    text = get(record, name, str)
    require(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", text), f"{name}: {text}")
    return text


def identifier(record, name, prefix):
    text = get(record, name, str)
    require(re.fullmatch(prefix + "_[0-7][0-9a-hjkmnp-tv-z]{25}", text), f"{name}: {text}")
    return text


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Keys and signatures


class Key(NamedTuple):
    id: str
    algorithm: str
    classical: bytes
    pq: bytes

    def fingerprint(self):
        return sha256(self.pq, self.classical).hex()


def key_of(key_id, algorithm, classical, pq):
    require(algorithm in ALGORITHMS, f"unknown algorithm {algorithm}")
    key = Key(key_id, algorithm, unb64(classical), unb64(pq))
    _, signature_length, half, _, _ = ALGORITHMS[algorithm]
    require(len(key.pq) == PQ_PUBLIC_LENGTHS[signature_length], f"{key_id}: length of the ML-DSA key")
    require(len(key.classical) == CLASSICAL_PUBLIC_LENGTHS[half], f"{key_id}: length of the classical key")
    if half == "p256":
        require(key.classical[0] == 4, f"{key_id}: not an uncompressed point")
    else:
        require(not is_small_order(key.classical), f"{key_id}: an Ed25519 key of small order")
    return key


def is_small_order(ed25519_public):
    """Whether 8·A is the identity: y is ±1 or 0, or the point's double has y = 0. OpenSSL accepts such keys."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p)
    y = int.from_bytes(ed25519_public, "little") % 2**255
    return y * (y * y - 1) * (d * y**4 + 2 * y * y - 1) % p == 0


def signing_key(raw):
    members = ("id", "algorithm", "publicClassicalBase64", "publicPqBase64")
    return key_of(*(get(raw, name, str) for name in members))


def lineage_key(raw):
    text = get(raw, "publicKey", str)
    public = parse(text)
    key = key_of(get(raw, "id", str), *(get(public, name, str) for name in ("alg", "classical", "pq")))
    written = {"v": 1, "alg": key.algorithm, "classical": public["classical"], "pq": public["pq"]}
    require(text == json.dumps(written, separators=(",", ":")), f"{key.id}: not the encoding of a public key")
    return key


def der_integer(raw):
    body = raw.lstrip(b"\x00") or b"\x00"
    body = b"\x00" + body if body[0] & 0x80 else body
    return bytes([2, len(body)]) + body


def verify_signature(key, message, context, signature, what):
    """Both halves of a composite signature, in the fixed-length encoding."""
    _, pq_length, half, _, _ = ALGORITHMS[key.algorithm]
    signature = unb64(signature)
    require(len(signature) == pq_length + 64, f"{what}: length of the signature")
    if half == "p256":
        r, s = signature[pq_length:-32], signature[-32:]
        integers = der_integer(r) + der_integer(s)
        signature = signature[:pq_length] + bytes([0x30, len(integers)]) + integers
    halves = verify_lamps(key.algorithm, key.pq, key.classical, message, context, signature)
    require(halves == (True, True), f"{what}: the signature does not verify (ML-DSA, classical: {halves})")


# The Merkle tree of RFC 6962


def leaf(entry_hash):
    return sha256(b"\x00", entry_hash)


def node(left, right):
    return sha256(b"\x01", left, right)


def split(size):
    """The largest power of two below size: how many leaves the left subtree has."""
    return 1 << (size - 1).bit_length() - 1


class Tree:
    """A growing tree, known by its peaks: the roots of the perfect subtrees that its leaves make, left to right."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def append(self, leaf_hash):
        self.size += 1
        self.peaks.append(leaf_hash)
        for _ in range((self.size & -self.size).bit_length() - 1):
            right = self.peaks.pop()
            self.peaks.append(node(self.peaks.pop(), right))

    def root(self):
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node(peak, root)
        return root

    def root_with(self, right, size):
        """The root of a larger tree, of which only the maximal nodes after our leaves are known."""
        known, later = iter(self.peaks), iter(right)

        def subtree(start, leaves):
            if start >= self.size:
                found = next(later, None)
                require(found, "rightHex is too short")
                return found
            if start + leaves <= self.size and leaves & (leaves - 1) == 0:
                return next(known)
            half = split(leaves)
            left = subtree(start, half)
            return node(left, subtree(start + half, leaves - half))

        root = subtree(0, size)
        require(next(later, None) is None, "rightHex is too long")
        return root


def root_from_path(index, size, leaf_hash, path):
    """The root that an audit path leads to. The path runs from the leaf upwards, so the top is its last."""
    if size == 1:
        require(not path, "the audit path is too long")
        return leaf_hash
    require(path, "the audit path is too short")
    half = split(size)
    if index < half:
        return node(root_from_path(index, half, leaf_hash, path[:-1]), path[-1])
    return node(path[-1], root_from_path(index - half, size - half, leaf_hash, path[:-1]))


# Entries, checkpoints, and lines of keys


class Entry(NamedTuple):
    seq: int
    previous: bytes
    hash: bytes
    event: str
    subject: str | None
    data: dict


class Checkpoint(NamedTuple):
    size: int
    root: bytes
    key_id: str
    issued: str
    signature: str


class Link(NamedTuple):
    """A key of a line, and the seq of the key.rotated that brought it in (-1: the line's first)."""

    key: Key
    since: int


def entry_of(raw, org):
    """An entry whose hash and shape hold by themselves; where it belongs is for others to check."""
    payload = get(raw, "payload", dict)
    only(payload, PAYLOAD_MEMBERS, "an entry's payload")
    seq, event, data = get(payload, "seq", int), get(payload, "eventType", str), get(payload, "data", dict)
    what = f"entry {seq}"
    require(seq >= 0 and get(raw, "seq", int) == seq, f"{what}: seq differs from its payload's")
    require(get(raw, "id", str) == identifier(payload, "id", "evt"), f"{what}: id differs from its payload's")
    require(get(payload, "org", str) == org, f"{what} is another organisation's")
    require(get(payload, "v", int) == 1, f"{what}: unknown version")
    require(get(raw, "createdAt", str) == time(payload, "issuedAt"), f"{what}: createdAt differs from issuedAt")
    get(payload, "actorId", str, type(None))
    require(event in DATA_MEMBERS or event in OTHER_EVENTS, f"{what}: unknown event type {event}")
    if event in DATA_MEMBERS:
        only(data, DATA_MEMBERS[event].split(), f"{what}: its data")
    previous, entry_hash = digest_of(get(raw, "prevHashHex", str)), digest_of(get(raw, "entryHashHex", str))
    require(sha256(previous, jcs(payload)) == entry_hash, f"{what}: entryHashHex is not its hash")
    require(seq > 0 or previous == ZEROS, "entry 0 has a predecessor")
    return Entry(seq, previous, entry_hash, event, get(payload, "subjectId", str, type(None)), data)


def logged_entry(raw, org, checkpoint, event):
    """An entry with the proof that it is in the checkpoint's tree."""
    entry = entry_of(get(raw, "entry", dict), org)
    what = f"proof of entry {entry.seq}"
    require(entry.event == event, f"{what}: it is {entry.event}, not {event}")
    require(get(raw, "leafIndex", int) == entry.seq < checkpoint.size, f"{what}: leafIndex")
    require(get(raw, "treeSize", int) == checkpoint.size, f"{what}: not in the checkpoint's tree")
    require(digest_of(get(raw, "leafHashHex", str)) == leaf(entry.hash), f"{what}: leafHashHex")
    root = root_from_path(entry.seq, checkpoint.size, leaf(entry.hash), digests(raw, "proofHex"))
    require(root == checkpoint.root, f"{what}: it does not lead to the checkpoint's root")
    return entry


def checkpoint_of(raw):
    size, root = get(raw, "treeSize", int), digest_of(get(raw, "merkleRootHex", str))
    require(size > 0, "a checkpoint of nothing")
    signer, signature = get(raw, "signingKeyId", str), get(raw, "signatureBase64", str)
    return Checkpoint(size, root, signer, time(raw, "createdAt"), signature)


def verify_checkpoint(checkpoint, org, line):
    """Its signature, by the key that was the ledger's in a tree of that size: the key.rotated of seq s is itself in the
    trees above s, so those are the successor's and the ones up to s the predecessor's."""
    what = f"checkpoint {checkpoint.size}"
    place = next((i for i, link in enumerate(line) if link.key.id == checkpoint.key_id), None)
    require(place is not None, f"{what}: its key is none of the ledger's")
    until = line[place + 1].since if place + 1 < len(line) else MAX_INTEGER
    require(line[place].since < checkpoint.size <= until, f"{what}: its key was not the ledger's at that size")
    root = base64.b64encode(checkpoint.root).decode()
    body = f"postq-vault/{org}\n{checkpoint.size}\n{root}\nissued {checkpoint.issued}\n"
    verify_signature(line[place].key, body.encode(), CHECKPOINT_CONTEXT, checkpoint.signature, what)


def verify_succession(raw, keys, org, checkpoint):
    """One link: vouched for by the old key, accepted by the new one, and logged. Gives both ids and the entry's seq."""
    statement = get(raw, "statement", dict)
    only(statement, ("org", "predecessor", "rotatedAt", "successor", "type"), "a succession statement")
    require(statement["org"] == org, "a succession is another organisation's")
    require(statement["type"] == "postq-vault/succession/v1", "a succession of unknown type")
    time(statement, "rotatedAt")
    for side in ("predecessor", "successor"):
        party = get(statement, side, dict)
        only(party, ("id", "fingerprint"), f"a succession's {side}")
        key = keys.get(get(party, "id", str))
        require(key is not None, f"a succession's {side} is not among the keys")
        require(party["fingerprint"] == key.fingerprint(), f"{key.id}: fingerprint in a succession")
        signature = get(raw, f"{side}SignatureBase64", str)
        verify_signature(key, jcs(statement), SUCCESSION_CONTEXT, signature, f"succession, {side}")
    predecessor, successor = statement["predecessor"], statement["successor"]
    require(raw.get("proof") is not None, f"the succession of {predecessor['id']} is unlogged")
    entry = logged_entry(raw["proof"], org, checkpoint, "key.rotated")
    said = {"predecessor": predecessor, "statementSha256": sha256(jcs(statement)).hex(), "successor": successor}
    require(entry.data == said, f"entry {entry.seq} logs another succession")
    require(entry.subject == predecessor["id"], f"entry {entry.seq}: subjectId is not the predecessor")
    return predecessor["id"], successor["id"], entry.seq


def verify_line(keys, successions, org, checkpoint):
    """The keys as one line from its first, each brought in by the one before it: no fork, no stranger, no loop."""
    by_id = {key.id: key for key in keys}
    require(keys and len(by_id) == len(keys) == len({key.fingerprint() for key in keys}), "a line's keys repeat")
    links = [verify_succession(raw, by_id, org, checkpoint) for raw in successions]
    following = {predecessor: (successor, seq) for predecessor, successor, seq in links}
    require(len(following) == len(links), "a fork: two successors of one key")
    first = set(by_id) - {successor for _, successor, _ in links}
    require(len(first) == 1, "the keys are not one line")
    line = [Link(by_id[first.pop()], -1)]
    while line[-1].key.id in following:
        successor, seq = following[line[-1].key.id]
        require(seq > line[-1].since, f"{line[-1].key.id} was rotated before it came")
        line.append(Link(by_id[successor], seq))
    require(len(line) == len(keys), "the keys are not one line")
    return line


# The three documents


class Page(NamedTuple):
    entries: list
    checkpoints: list
    line: list
    range: dict | None


def page_of(raw, org):
    """A bundle, or a page of one, as far as it can be checked without the pages before it."""
    require(get(raw, "version", int) == 1, "unknown version")
    require(get(raw, "org", str) == org, "the pages are of several organisations")
    entries = [entry_of(entry, org) for entry in get(raw, "entries", list)]
    checkpoints = [checkpoint_of(checkpoint) for checkpoint in get(raw, "checkpoints", list)]
    sizes = [checkpoint.size for checkpoint in checkpoints]
    require(sizes and sizes == sorted(set(sizes)), "the checkpoints are missing or do not ascend")
    keys = [signing_key(key) for key in get(raw, "signingKeys", list)]
    line = verify_line(keys, get(raw, "successions", list), org, checkpoints[-1])
    for checkpoint in checkpoints:
        verify_checkpoint(checkpoint, org, line)
    page = Page(entries, checkpoints, line, raw.get("range"))
    if page.range is not None:
        until, size = get(page.range, "until", int), get(page.range, "treeSize", int)
        require(sizes == [size], "a range's one checkpoint is of its treeSize")
        require(entries and entries[0].seq == get(page.range, "since", int), "a range does not begin at since")
        require(entries[-1].seq == until < size, "a range does not end at until")
    return page


def verify_bundle(pages):
    """Page after page, as one ledger from entry 0 to the newest checkpoint."""
    require(pages, "no pages")
    org = identifier(pages[0], "org", "org")
    pages = [page_of(raw, org) for raw in pages]
    roots, line = agreed_roots(pages), agreed_line(pages)
    tree, previous, rotated = Tree(), ZEROS, {}
    for number, page in enumerate(pages):
        if page.range is not None:
            require(digest_of(get(page.range, "prevHashHex", str)) == previous, "prevHashHex is not the entry before")
            require(digests(page.range, "leftHex") == tree.peaks, "leftHex is not the tree before")
        else:
            require(number == 0 or not page.entries, "a page without a range that is not the first")
        for entry in page.entries:
            require(entry.seq == tree.size, f"entry {tree.size} is missing: {entry.seq} comes instead")
            require(entry.previous == previous, f"entry {entry.seq} does not continue the chain")
            if entry.seq == 0:
                verify_first_entry(entry, line[0].key)
            if entry.event == "key.rotated":
                verify_rotation_shape(entry)
                require(entry.subject not in rotated, f"a fork: {entry.subject} was rotated twice")
                rotated[entry.subject] = entry.seq
            previous = entry.hash
            tree.append(leaf(entry.hash))
            if tree.size in roots:
                require(roots[tree.size] == tree.root(), f"checkpoint {tree.size}: another root")
        newest = page.checkpoints[-1]
        if page.range is not None:
            right = digests(page.range, "rightHex")
            require(tree.root_with(right, newest.size) == newest.root, f"checkpoint {newest.size}: another root")
        else:
            require(tree.size >= newest.size, "the entries end before the newest checkpoint")
    require(tree.size == max(roots), "the entries do not end at the newest checkpoint")
    logged = {key: seq for key, seq in rotated.items() if key in {link.key.id for link in line}}
    followed = {old.key.id: new.since for old, new in zip(line, line[1:])}
    require(logged == followed, "the ledger's keys were rotated otherwise than the successions say")
    return {"entries": tree.size, "treeSize": tree.size, "root": tree.root().hex()}


def agreed_roots(pages):
    """Every checkpoint's root by tree size, those of later pages too: the entries must meet all of them."""
    roots = {}
    for checkpoint in (checkpoint for page in pages for checkpoint in page.checkpoints):
        known = roots.setdefault(checkpoint.size, checkpoint.root)
        require(known == checkpoint.root, f"two roots of a tree of {checkpoint.size}")
    return roots


def agreed_line(pages):
    """The ledger's keys. A page made before a rotation has a shorter line, but the same one as far as its tree goes."""
    line = max((page.line for page in pages), key=len)
    for page in pages:
        size = page.checkpoints[-1].size
        require(page.line == [link for link in line if link.since < size], "the pages differ about the ledger's keys")
    return line


def verify_first_entry(entry, key):
    said = {"kind": "ledger", "fingerprint": key.fingerprint(), "keyId": key.id, "algorithm": key.algorithm}
    holds = entry.event == "key.created" and all(entry.data[name] == said[name] for name in said)
    require(holds, "entry 0 does not create the ledger's first key")


def verify_rotation_shape(entry):
    """Of users' keys too, whose statements a bundle does not carry."""
    for side in ("predecessor", "successor"):
        only(entry.data[side], ("fingerprint", "id"), f"entry {entry.seq}: its {side}")
        digest_of(entry.data[side]["fingerprint"])
    digest_of(entry.data["statementSha256"])
    require(entry.data["predecessor"]["id"] == entry.subject, f"entry {entry.seq}: subjectId is not the predecessor")


def verify_keys(document):
    """What a lineage and a receipt have in common: the ledger's checkpoint, and the line of keys proven under it."""
    org = identifier(document, "org", "org")
    ledger = get(document, "ledger", dict)
    checkpoint = checkpoint_of(get(ledger, "checkpoint", dict))
    ledger_keys = [signing_key(key) for key in get(ledger, "signingKeys", list)]
    ledger_line = verify_line(ledger_keys, get(ledger, "successions", list), org, checkpoint)
    verify_checkpoint(checkpoint, org, ledger_line)
    keys = [lineage_key(key) for key in get(document, "keys", list)]
    line = verify_line(keys, get(document, "successions", list), org, checkpoint)
    ledgers = {value for key in ledger_keys for value in (key.id, key.fingerprint())}
    users = {value for key in keys for value in (key.id, key.fingerprint())}
    require(not ledgers & users, "a ledger key is used as a user's")
    return org, checkpoint, line


def verify_lineage(document):
    _, _, line = verify_keys(document)
    return {"keys": len(line)}


def verify_receipt(document, payload):
    require(get(document, "v", int) == 1, "unknown version")
    org, checkpoint, line = verify_keys(document)
    key_id, signature = get(document, "keyId", str), get(document, "signatureBase64", str)
    key = next((link.key for link in line if link.key.id == key_id), None)
    require(key is not None, "the signing key is not among the keys")
    issued = logged_entry(get(document, "issued", dict), org, checkpoint, "signature.issued")
    context = verify_issued(issued.data, key, payload, unb64(signature))
    verify_signature(key, payload, context, signature, "the signature")
    return {"seq": issued.seq, "revocation": revocation(document, org, checkpoint, key, issued)}


def verify_issued(data, key, payload, signature):
    """Compares all that the entry says with the signature and the payload in hand. Gives the context."""
    prehash = ALGORITHMS[key.algorithm][4](payload)
    sent_prehash = data["payloadSha256"] is None and data["payloadSize"] is None
    said = {
        "algorithm": key.algorithm,
        "contextBase64": get(data, "contextBase64", str),
        "fingerprint": key.fingerprint(),
        "keyId": key.id,
        "payloadSha256": None if sent_prehash else sha256(payload).hex(),
        "payloadSize": None if sent_prehash else len(payload),
        "ph": prehash.hexdigest(),
        "phAlg": prehash.name,
        "signatureSha256": sha256(signature).hex(),
    }
    for name, value in said.items():
        require(type(data[name]) is type(value) and data[name] == value, f"signature.issued: {name} differs")
    context = unb64(said["contextBase64"])
    require(len(context) <= 255, "signature.issued: the context is too long")
    require(not context.startswith(RESERVED_CONTEXT), "signature.issued: a reserved context")
    return context


def revocation(document, org, checkpoint, key, issued):
    """Without a key.revoked nothing is known: the document may be older than the revocation, or hide it."""
    if get(document, "revoked", dict, type(None)) is None:
        return f"revocation unknown after checkpoint {checkpoint.size}"
    revoked = logged_entry(document["revoked"], org, checkpoint, "key.revoked")
    time(revoked.data, "revokedAt")
    same = revoked.data["keyId"] == key.id and revoked.data["fingerprint"] == key.fingerprint()
    require(same, "key.revoked is of another key")
    return "logged before revocation" if issued.seq < revoked.seq else "logged after revocation"


def verify(given):
    if "what" not in given:
        given = recognised(given)
    what = get(given, "what", str)
    if what == "bundle":
        return verify_bundle(get(given, "pages", list))
    if what == "lineage":
        return verify_lineage(get(given, "document", dict))
    require(what == "receipt", f"cannot verify a {what}")
    require(given["document"].get("signatureBase64") is not None, "put your signature in as signatureBase64 first")
    return verify_receipt(get(given, "document", dict), unb64(get(given, "payload", str)))


def recognised(given):
    """A file as the API gave it: what it is shows in its members."""
    document = given["data"] if "success" in given else given
    if "entries" in document:
        return {"what": "bundle", "pages": [document]}
    if "issued" in document:
        payload = open(sys.argv[1], "rb").read() if len(sys.argv) > 1 else None
        require(payload is not None, "name the file that was signed: verify_ledger.py FILE < receipt")
        return {"what": "receipt", "document": document, "payload": base64.b64encode(payload).decode()}
    return {"what": "lineage", "document": document}


def main():
    try:
        verdict = {"ok": True, **verify(parse(sys.stdin.buffer.read().decode()))}
    except Fault as fault:
        verdict = {"ok": False, "why": str(fault)}
    except Exception as error:  # a document can be malformed in ways that only a library notices
        verdict = {"ok": False, "why": f"malformed: {type(error).__name__}: {error}"}
    json.dump(verdict, sys.stdout)


if __name__ == "__main__":
    main()
