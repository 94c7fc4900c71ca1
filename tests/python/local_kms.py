"""AWS KMS and STS on this machine, as far as the vault asks them: what no emulator has is ML-DSA.

Requests are held against the models that AWS publishes with its own SDK (botocore): a member that the model does not have, or
of another type, is refused. Keys and signatures are OpenSSL's, by `cryptography`. Key policies are evaluated; what IAM would add
to them is taken as given. Signatures on requests (SigV4) are not checked; who calls is read from them.

    local_kms.py

It prints the port that it listens at.

`POST /control` sets roles, latency and faults; `GET /control` tells which calls came.
"""

import base64
import datetime
import fnmatch
import json
import os
import re
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ACCOUNT = "123456789012"
MODEL = ServiceModel(Loader().load_service_model("kms", "service-2"), "kms")
STS_MODEL = ServiceModel(Loader().load_service_model("sts", "service-2"), "sts")

ASYMMETRIC = {
    "ECC_NIST_P256": (lambda: ec.generate_private_key(ec.SECP256R1()), "ECDSA_SHA_256"),
    "ECC_NIST_EDWARDS25519": (ed25519.Ed25519PrivateKey.generate, "ED25519_SHA_512"),
    "ML_DSA_44": (mldsa.MLDSA44PrivateKey.generate, "ML_DSA_SHAKE_256"),
    "ML_DSA_65": (mldsa.MLDSA65PrivateKey.generate, "ML_DSA_SHAKE_256"),
    "ML_DSA_87": (mldsa.MLDSA87PrivateKey.generate, "ML_DSA_SHAKE_256"),
}


class Refused(Exception):
    def __init__(self, code, message="", status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.keys, self.roles, self.sessions, self.faults, self.calls = {}, {}, {}, [], []
        self.latency = 0.0


STATE = State()


def decoded(shape, value, path=""):
    """The request as the model types it; what the model does not have is refused."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            raise Refused("SerializationException", f"{path} is no structure")
        for name in value:
            if name not in shape.members:
                raise Refused("SerializationException", f"the model has no {path}.{name}")
        return {name: decoded(shape.members[name], inner, f"{path}.{name}") for name, inner in value.items()}
    if shape.type_name == "list":
        return [decoded(shape.member, inner, path) for inner in value]
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if getattr(shape, "enum", None) and value not in shape.enum:
        raise Refused("ValidationException", f"{path}: {value} is none of {shape.enum}")
    return value


def checked(operation, body):
    shape = MODEL.operation_model(operation).input_shape
    params = decoded(shape, body, operation)
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise Refused("ValidationException", report.generate_report())
    return params


def allowed(key, action, identity):
    for statement in json.loads(key["policy"])["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if not any(fnmatch.fnmatchcase(f"kms:{action}", pattern) for pattern in actions):
            continue
        # The account's root stands for whoever its IAM policies name.
        if statement["Principal"]["AWS"] in (identity, f"arn:aws:iam::{ACCOUNT}:root"):
            return True
    return False


def find(params, action, identity, usable=True):
    name = params["KeyId"]
    with STATE.lock:
        key = STATE.keys.get(name.rsplit("/", 1)[-1])
    if key is None or (name.startswith("arn:") and name != key["arn"]):
        raise Refused("NotFoundException", f"Key '{name}' does not exist")
    if not allowed(key, action, identity):
        raise Refused("AccessDeniedException", f"User: {identity} is not authorized to perform: kms:{action}")
    if usable and key["state"] == "Disabled":
        raise Refused("DisabledException", f"{key['arn']} is disabled.")
    if usable and key["state"] != "Enabled":
        raise Refused("KMSInvalidStateException", f"{key['arn']} is pending deletion.")
    return key


def metadata(key):
    return {
        "AWSAccountId": ACCOUNT, "KeyId": key["id"], "Arn": key["arn"], "Enabled": key["state"] == "Enabled",
        "Description": key["description"], "KeyUsage": key["usage"], "KeyState": key["state"], "KeySpec": key["spec"],
        "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "CreationDate": int(time.time()),
    }


def create_key(params, identity, region):
    spec, usage = params.get("KeySpec", "SYMMETRIC_DEFAULT"), params.get("KeyUsage", "ENCRYPT_DECRYPT")
    if spec == "SYMMETRIC_DEFAULT":
        secret = os.urandom(32)
    elif spec in ASYMMETRIC and usage == "SIGN_VERIFY":
        secret = ASYMMETRIC[spec][0]()
    else:
        raise Refused("ValidationException", f"{usage} is not possible with {spec}")
    root = f"arn:aws:iam::{ACCOUNT}:root"
    everything = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}
    policy = params.get("Policy") or json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    for statement in json.loads(policy)["Statement"]:
        principal = statement["Principal"]["AWS"]
        if principal != root and principal not in STATE.roles:
            raise Refused("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")
    identifier = str(uuid.uuid4())
    key = {
        "id": identifier, "arn": f"arn:aws:kms:{region}:{ACCOUNT}:key/{identifier}", "spec": spec, "usage": usage,
        "secret": secret, "state": "Enabled", "description": params.get("Description", ""),
        "tags": params.get("Tags", []), "policy": policy,
    }
    if not allowed(key, "PutKeyPolicy", identity) and not params.get("BypassPolicyLockoutSafetyCheck"):
        raise Refused("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy.")
    with STATE.lock:
        STATE.keys[identifier] = key
    return {"KeyMetadata": metadata(key)}


def public_der(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key["secret"].public_key().public_bytes(serialization.Encoding.DER, form)


def get_public_key(params, identity, _region):
    key = find(params, "GetPublicKey", identity)
    if key["spec"] == "SYMMETRIC_DEFAULT":
        raise Refused("UnsupportedOperationException", "a symmetric key has no public key")
    return {
        "KeyId": key["arn"], "PublicKey": public_der(key), "KeySpec": key["spec"], "KeyUsage": key["usage"],
        "SigningAlgorithms": [ASYMMETRIC[key["spec"]][1]],
    }


def sign(params, identity, _region):
    key = find(params, "Sign", identity)
    message, kind, algorithm = params["Message"], params.get("MessageType", "RAW"), params["SigningAlgorithm"]
    if key["usage"] != "SIGN_VERIFY":
        raise Refused("InvalidKeyUsageException", f"{key['arn']} key usage is {key['usage']}")
    if algorithm != ASYMMETRIC[key["spec"]][1]:
        raise Refused("InvalidKeyUsageException", f"Algorithm {algorithm} is incompatible with key spec {key['spec']}.")
    if kind == "RAW" and len(message) > 4096:
        raise Refused("ValidationException", "RAW messages have at most 4096 bytes")
    if kind == "DIGEST" and key["spec"] != "ECC_NIST_P256":
        raise Refused("ValidationException", f"DIGEST is not possible with {algorithm}")
    if kind == "EXTERNAL_MU" and not key["spec"].startswith("ML_DSA"):
        raise Refused("ValidationException", f"EXTERNAL_MU is not possible with {algorithm}")
    if kind == "EXTERNAL_MU" and len(message) != 64:
        raise Refused("ValidationException", "EXTERNAL_MU has 64 bytes")
    if params.get("DryRun"):
        raise Refused("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    secret = key["secret"]
    if params.get("other"):
        secret = ASYMMETRIC[key["spec"]][0]()
    if key["spec"] == "ECC_NIST_P256":
        digest = hashes.SHA256()
        if kind == "DIGEST":
            raise Refused("ValidationException", "not in this emulation: DIGEST")
        signature = secret.sign(message, ec.ECDSA(digest))
    elif key["spec"] == "ECC_NIST_EDWARDS25519":
        signature = secret.sign(message)
    else:
        signature = secret.sign_mu(message) if kind == "EXTERNAL_MU" else secret.sign(message)
    return {"KeyId": key["arn"], "Signature": signature, "SigningAlgorithm": algorithm}


def sealed_under(key, plaintext, context):
    nonce = os.urandom(12)
    aad = json.dumps(context, sort_keys=True).encode()
    return key["id"].encode() + nonce + AESGCM(key["secret"]).encrypt(nonce, plaintext, aad)


def generate_data_key(params, identity, _region, plain=True):
    key = find(params, "GenerateDataKey" if plain else "GenerateDataKeyWithoutPlaintext", identity)
    if key["spec"] != "SYMMETRIC_DEFAULT":
        raise Refused("InvalidKeyUsageException", f"{key['arn']} key usage is {key['usage']}")
    length = 32 if params.get("KeySpec") == "AES_256" else params.get("NumberOfBytes", 16)
    secret = os.urandom(length)
    answer = {"KeyId": key["arn"], "CiphertextBlob": sealed_under(key, secret, params.get("EncryptionContext", {}))}
    return {**answer, "Plaintext": secret} if plain else answer


def decrypt(params, identity, region):
    blob = params["CiphertextBlob"]
    with STATE.lock:
        made_by = STATE.keys.get(blob[:36].decode("ascii", "replace"))
    if made_by is None:
        raise Refused("InvalidCiphertextException")
    key = find({"KeyId": params.get("KeyId", made_by["arn"])}, "Decrypt", identity)
    if key["usage"] != "ENCRYPT_DECRYPT":
        raise Refused("InvalidKeyUsageException", f"{key['arn']} key usage is {key['usage']}")
    if key is not made_by:
        raise Refused("IncorrectKeyException", "The key ID in the request does not identify the CMK used")
    aad = json.dumps(params.get("EncryptionContext", {}), sort_keys=True).encode()
    try:
        plaintext = AESGCM(key["secret"]).decrypt(blob[36:48], blob[48:], aad)
    except (InvalidTag, ValueError):
        raise Refused("InvalidCiphertextException") from None
    if params.get("other"):
        plaintext = os.urandom(len(plaintext))
    return {"KeyId": key["arn"], "Plaintext": plaintext, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def list_keys(params, _identity, region):
    with STATE.lock:
        keys = sorted((k for k in STATE.keys.values() if f":{region}:" in k["arn"]), key=lambda k: k["id"])
    begin, size = int(params.get("Marker", "0")), params.get("Limit", 3)
    page = [{"KeyId": key["id"], "KeyArn": key["arn"]} for key in keys[begin:begin + size]]
    more = begin + size < len(keys)
    return {"Keys": page, "Truncated": more, **({"NextMarker": str(begin + size)} if more else {})}


def schedule_key_deletion(params, identity, _region):
    key = find(params, "ScheduleKeyDeletion", identity, usable=False)
    days = params.get("PendingWindowInDays", 30)
    if not 7 <= days <= 30:
        raise Refused("ValidationException", "7 to 30 days")
    if key["state"] == "PendingDeletion":
        raise Refused("KMSInvalidStateException", f"{key['arn']} is pending deletion.")
    key["state"] = "PendingDeletion"
    return {"KeyId": key["arn"], "KeyState": "PendingDeletion", "PendingWindowInDays": days}


def set_state(action, state):
    def change(params, identity, _region):
        find(params, action, identity, usable=False)["state"] = state
        return {}
    return change


OPERATIONS = {
    "CreateKey": create_key,
    "GetPublicKey": get_public_key,
    "Sign": sign,
    "GenerateDataKey": generate_data_key,
    "GenerateDataKeyWithoutPlaintext": lambda p, i, r: generate_data_key(p, i, r, plain=False),
    "Decrypt": decrypt,
    "ListKeys": list_keys,
    "DescribeKey": lambda p, i, r: {"KeyMetadata": metadata(find(p, "DescribeKey", i, usable=False))},
    "ListResourceTags": lambda p, i, r: {
        "Tags": find(p, "ListResourceTags", i, usable=False)["tags"], "Truncated": False},
    "ScheduleKeyDeletion": schedule_key_deletion,
    "DisableKey": set_state("DisableKey", "Disabled"),
    "EnableKey": set_state("EnableKey", "Enabled"),
}


def assume_role(form):
    shape = STS_MODEL.operation_model("AssumeRole").input_shape
    params = {name: value for name, value in form.items() if name not in ("Action", "Version")}
    for name in params:
        if name not in shape.members:
            raise Refused("ValidationError", f"the model has no {name}")
        # A form has numbers as text.
        if shape.members[name].type_name == "integer":
            params[name] = int(params[name])
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise Refused("ValidationError", report.generate_report())
    role, external_id = form["RoleArn"], form.get("ExternalId")
    trust = STATE.roles.get(role)
    # `demands`: the external id that the trust policy demands; absent where it demands none.
    if trust is None or ("demands" in trust and trust["demands"] != external_id):
        raise Refused("AccessDenied", f"not authorized to perform: sts:AssumeRole on resource: {role}", 403)
    name = "ASIA" + uuid.uuid4().hex[:16].upper()
    with STATE.lock:
        STATE.sessions[name] = role
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=trust.get("seconds", params.get("DurationSeconds", 3600)))
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{name}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>"
        f"<Expiration>{end.strftime('%Y-%m-%dT%H:%M:%SZ')}</Expiration></Credentials></AssumeRoleResult>"
        "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"
    )


def caller_identity():
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{ACCOUNT}:user/deployment</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>"
        "</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )


def fault_for(action, key):
    with STATE.lock:
        for fault in STATE.faults:
            wanted = fault.get("action", "*") in ("*", action) and fault.get("key", "") in (key or "")
            if wanted and fault.get("times", 1) > 0:
                if "times" in fault:
                    fault["times"] -= 1
                return fault["how"]
    return None


REFUSALS = {
    "throttled": ("ThrottlingException", "injected", 400), "internal": ("KMSInternalException", "injected", 500),
    "denied": ("AccessDeniedException", "injected", 400), "down": ("ServiceUnavailable", "injected", 503),
    "missing": ("NotFoundException", "injected", 400),
    "quota": ("LimitExceededException", "injected", 400), "expired": ("ExpiredTokenException", "injected", 400),
}
STS_REFUSALS = {
    "throttled": ("Throttling", "Rate exceeded", 400), "not-known": ("InvalidClientTokenId", "injected", 403),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/x-amz-json-1.1"):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with STATE.lock:
            keys = [{**metadata(k), "Tags": k["tags"], "Policy": k["policy"]} for k in STATE.keys.values()]
            self.answer(200, json.dumps({"calls": STATE.calls, "keys": keys}))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/control":
            return self.control(json.loads(body))
        target = self.headers.get("X-Amz-Target")
        if target is None:
            return self.sts(dict(urllib.parse.parse_qsl(body.decode())))
        return self.kms(target.split(".", 1)[1], json.loads(body or b"{}"))

    def control(self, change):
        with STATE.lock:
            STATE.roles.update(change.get("roles", {}))
            if "latencyMs" in change:
                STATE.latency = change["latencyMs"] / 1000
            if "faults" in change:
                STATE.faults = change["faults"]
            if change.get("forgetDeleted"):
                STATE.keys = {k: key for k, key in STATE.keys.items() if key["state"] != "PendingDeletion"}
            if change.get("forgetCalls"):
                STATE.calls = []
        self.answer(200, "{}")

    def sts(self, form):
        action = form.get("Action")
        with STATE.lock:
            STATE.calls.append({"action": action, "key": form.get("RoleArn")})
        time.sleep(STATE.latency)
        try:
            how = fault_for(action, form.get("RoleArn"))
            if how in STS_REFUSALS:
                raise Refused(*STS_REFUSALS[how])
            answer = caller_identity() if action == "GetCallerIdentity" else assume_role(form)
            self.answer(200, answer, "text/xml")
        except Refused as refused:
            error = f"<Code>{refused.code}</Code><Message>{refused.message}</Message>"
            body = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>1</RequestId></ErrorResponse>"
            self.answer(refused.status, body, "text/xml")

    def kms(self, action, body):
        credential = re.search(r"Credential=([^/]+)/\d+/([^/]+)/kms", self.headers.get("Authorization", ""))
        name, region = credential.groups()
        with STATE.lock:
            identity = STATE.sessions.get(name, f"arn:aws:iam::{ACCOUNT}:user/deployment")
            STATE.calls.append({"action": action, "key": body.get("KeyId"), "as": identity})
        time.sleep(STATE.latency)
        how = fault_for(action, body.get("KeyId"))
        if how == "hang":
            time.sleep(30)
        if how == "dropped":
            self.close_connection = True
            return self.connection.close()
        if how == "garbage":
            return self.answer(200, b"\x00<html>nothing of the kind</html>")
        if how == "empty":
            return self.answer(200, b"{}")
        try:
            if how in REFUSALS:
                raise Refused(*REFUSALS[how])
            if action not in OPERATIONS:
                raise Refused("UnknownOperationException", action)
            params = checked(action, body)
            if how == "other":
                params["other"] = True
            answer = OPERATIONS[action](params, identity, region)
            if how == "lost":
                self.close_connection = True
                return self.connection.close()
            for member in answer:
                assert member in MODEL.operation_model(action).output_shape.members, member
            encoded = {n: base64.b64encode(v).decode() if isinstance(v, bytes) else v for n, v in answer.items()}
            return self.answer(200, json.dumps(encoded))
        except Refused as refused:
            error = {"__type": refused.code, "message": refused.message}
            return self.answer(refused.status, json.dumps(error))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, _request, _address):
        """A caller who hangs up is part of what is tested."""


SERVER = Server(("127.0.0.1", 0), Handler)
print(SERVER.server_address[1], flush=True)
SERVER.serve_forever()
