"""Google Cloud KMS on this machine, and the services that hand out its tokens, as far as the vault asks them: the Security Token Service
for federated identities, IAM Credentials for the service accounts that these may stand for, and tokens that a service account signs itself.

It tells where it listens as `local_cloud.run` does. Hosts are told apart by the name that is asked for, as the real ones are. Requests to
Cloud KMS are read and answered as the messages, and found by the paths, that Google publishes with its own client: a member that they do
not have is refused. `POST /control` sets providers, service accounts, permissions, keys and faults.
"""

import contextlib
import datetime
import json
import os
import re
import secrets
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.cloud import kms_v1 as kms
from google.cloud.kms_v1.services.key_management_service.transports.rest_base import _BaseKeyManagementServiceRestTransport as Published
from google.protobuf.json_format import MessageToJson, Parse, ParseDict, ParseError

import local_cloud
from local_cloud import Refused, crc32c, parameters, parts, unb64

KMS, STS, IAM = "cloudkms.googleapis.com", "sts.googleapis.com", "iamcredentials.googleapis.com"
SCOPES, OAUTH = "https://www.googleapis.com/auth/", "urn:ietf:params:oauth:"
DETAIL, LEEWAY, VERSIONS = "type.googleapis.com/google.rpc.", 10, "/cryptoKeyVersions/"
EXCHANGE = {
    "grant_type": f"{OAUTH}grant-type:token-exchange", "requested_token_type": f"{OAUTH}token-type:access_token",
    "subject_token_type": f"{OAUTH}token-type:jwt",
}
AUDIENCE = r"//iam\.googleapis\.com/(projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+)"
# How an algorithm's keys are made, what of a request they sign, how long that is, and how they do.
ECDSA = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
SIGNERS = {
    "EC_SIGN_P256_SHA256": (lambda: ec.generate_private_key(ec.SECP256R1()), "sha256", 32, lambda key, value: key.sign(value, ECDSA)),
    "EC_SIGN_ED25519": (ed25519.Ed25519PrivateKey.generate, "data", None, lambda key, value: key.sign(value)),
    **{
        f"PQ_SIGN_ML_DSA_{size}_EXTERNAL_MU": (kind.generate, "external_mu", 64, lambda key, value: key.sign_mu(value))
        for size, kind in {44: mldsa.MLDSA44PrivateKey, 65: mldsa.MLDSA65PrivateKey, 87: mldsa.MLDSA87PrivateKey}.items()
    },
}
ALGORITHMS = {"ENCRYPT_DECRYPT": ["GOOGLE_SYMMETRIC_ENCRYPTION"], "ASYMMETRIC_SIGN": list(SIGNERS)}


class State(local_cloud.State):
    def __init__(self):
        super().__init__()
        self.providers, self.accounts, self.permissions, self.rings, self.keys = {}, {}, {}, set(), {}
        self.pending, self.page, self.answers_as = 1, 100, ["", ""]

    def change(self, change):
        self.providers.update(change.get("providers", {}))
        self.permissions.update(change.get("permissions", {}))
        for email, account in change.get("serviceAccounts", {}).items():
            set_account(email, account)
        for member, enabled in {"disableKeys": False, "enableKeys": True}.items():
            for key in [key for email in change.get(member, []) for key in self.accounts[email]["keys"].values()]:
                key["enabled"] = enabled
        for member in {"pending", "page", "answers_as"} & set(change):
            setattr(self, member, change[member])
        self.rings.update(change.get("rings", []), (made["ring"] for made in change.get("make", [])))
        for made in change.get("make", []):
            name, purpose = f"{made['ring']}/cryptoKeys/{made['name']}", made.get("purpose", "ENCRYPT_DECRYPT")
            algorithm, level = made.get("algorithm", ALGORITHMS[purpose][0]), made.get("protectionLevel", "SOFTWARE")
            template = {"algorithm": algorithm, "protection_level": level}
            make(kms.CryptoKey(name=name, purpose=purpose, version_template=template, labels=made.get("labels", {})))
        for name in change.get("rotate", []):
            add_version(find(name)[0])
        for member, state in {"disable": "DISABLED", "enable": "ENABLED"}.items():
            for name in change.get(member, []):
                key, held = find(name)
                for held in [held] if VERSIONS in name else key["versions"].values():
                    held["version"].state, held["pending"] = state, 0
        for name, state in change.get("states", {}).items():
            find(name)[1]["version"].state = state
        self.keys = {name: key for name, key in self.keys.items() if name not in change.get("forget", [])}
        for name in change.get("deleteVersion", []):
            find(name)[0]["versions"].pop(name.rpartition("/")[2])
        return {**super().change(change), "keyFiles": self.key_files()}

    def key_files(self):
        return {email: account["file"] for email, account in self.accounts.items() if account["keys"]}

    def told(self):
        keys = []
        for name, key in self.keys.items():
            about = {"name": name, "labels": dict(key["about"].labels), "purpose": key["about"].purpose.name}
            for number, held in (key["versions"] or {"": None}).items():
                of = held["version"] if held else key["about"].version_template
                about |= {"algorithm": of.algorithm.name, "protectionLevel": of.protection_level.name, "primary": number == key["primary"]}
                keys.append({**about, "version": held and of.name, "state": held and of.state.name})
        return {**super().told(), "keys": keys, "keyFiles": self.key_files()}


STATE = State()


def invalid(message):
    return Refused(400, "INVALID_ARGUMENT", message)


def denied(permission, on=""):
    why = {"@type": DETAIL + "ErrorInfo", "reason": "IAM_PERMISSION_DENIED", "metadata": {"permission": permission}}
    return Refused(403, "PERMISSION_DENIED", f"Permission '{permission}' denied on resource{on} (or it may not exist).", [why])


def exchange(form):
    """A federated identity's token for somebody else's about it (RFC 8693)."""
    audience, scopes = re.fullmatch(AUDIENCE, form["audience"]), form["scope"].split()
    fits = {name: form[name] == value for name, value in EXCHANGE.items()}
    fits |= {"audience": audience, "scope": scopes and all(scope.startswith(SCOPES) for scope in scopes)}
    if not all(fits.values()):
        raise Refused(400, "invalid_request", f"Invalid value for {', '.join(name for name in fits if not fits[name])}.")
    provider = STATE.providers.get(audience[1])
    if provider is None:
        raise Refused(400, "invalid_target", 'The target service indicated by the "audience" parameters is invalid.')
    try:
        _, claims, _, _ = parts(form["subject_token"])
        aud, sub = claims["aud"], claims["sub"]
    except (KeyError, TypeError, ValueError):
        raise Refused(400, "invalid_grant", "Unable to parse the ID Token.\r\n\tIt is none.") from None
    if claims.get("exp", time.time()) < time.time() - LEEWAY or provider.get("audience") not in (None, aud):
        raise Refused(400, "invalid_grant", f"The audience in ID Token [{aud}] does not match the expected\naudience, or it is stale.")
    if sub not in (provider.get("subjects") or [sub]):
        raise Refused(400, "unauthorized_client", "The given credential is rejected by the attribute condition.")
    seconds = provider.get("seconds", 3600)
    made = STATE.issue(f"ya29.d.{secrets.token_urlsafe(96)}", seconds, principal=audience[1], scopes=scopes)
    return {"access_token": made, "issued_token_type": EXCHANGE["requested_token_type"], "token_type": "Bearer", "expires_in": seconds}


def impersonate(email, body, held):
    """A service account's token for whoever may stand for it."""
    account = STATE.accounts.get(email, {})
    if held["principal"] not in account.get("impersonators", []):
        raise denied("iam.serviceAccounts.getAccessToken")
    scopes, lifetime = body["scope"], re.fullmatch(r"(\d{1,4})s", str(body["lifetime"]))
    if not isinstance(scopes, list) or not scopes or not lifetime or not 0 < int(lifetime[1]) <= 3600:
        raise invalid("The scope or the lifetime is none that is allowed.")
    seconds = account.get("seconds", int(lifetime[1]))
    made = STATE.issue(f"ya29.c.{secrets.token_urlsafe(96)}", seconds, principal=email, scopes=scopes)
    return {"accessToken": made, "expireTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))}


def set_account(email, account):
    held = STATE.accounts.setdefault(email, {"impersonators": [], "keys": {}, "file": None})
    held.update({name: value for name, value in account.items() if name in ("impersonators", "seconds")})
    held["keys"] = {} if account.get("key") is False else held["keys"]
    if account.get("key"):
        private, identifier = rsa.generate_private_key(65537, 2048), secrets.token_hex(20)
        held["keys"][identifier] = {"public": private.public_key(), "enabled": True}
        pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        held["file"] = {
            "type": "service_account", "project_id": re.split("[@.]", email)[1], "private_key_id": identifier,
            "private_key": pem.decode(), "client_email": email, "client_id": str(10**20 + secrets.randbelow(10**20)),
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token",
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs", "universe_domain": "googleapis.com",
            "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/" + urllib.parse.quote(email, safe=""),
        }


def self_signed(token):
    """What a service account says of itself, if it does and this is for Cloud KMS."""
    header, claims, signature, signed = parts(token)
    key = STATE.accounts[claims["iss"]]["keys"][header["kid"]]
    key["public"].verify(unb64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    lives = claims["iat"] - LEEWAY <= time.time() < claims["exp"] <= claims["iat"] + 3600 + 2 * LEEWAY
    if not (lives and key["enabled"] and header["alg"] == "RS256" and claims["sub"] == claims["iss"]):
        raise ValueError("it is not valid")
    # It has an audience or a scope, and not both; Google's client for Rust writes the one that it has not as null.
    aud, scope = claims.get("aud"), claims.get("scope")
    if (scope is None) == (aud is None) or aud not in (None, f"https://{KMS}/"):
        raise ValueError("it is not for here")
    return {"principal": claims["iss"], "scopes": (scope or f"{SCOPES}cloudkms").split()}


def holder(bearer, host):
    """Whose token this is, and which scopes it has."""
    scheme, _, token = bearer.partition(" ")
    held = STATE.held(token)
    if held is None:
        with contextlib.suppress(InvalidSignature, KeyError, TypeError, ValueError):
            held = self_signed(token)
    if held is None or scheme != "Bearer":
        raise Refused(*REFUSALS["rejected"])
    if not {f"{SCOPES}cloud-platform", f"{SCOPES}cloudkms" if host == KMS else None} & set(held["scopes"]):
        raise Refused(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.")
    return held


def add_version(key, pending=0):
    about, key["made"] = key["about"], key["made"] + 1
    template, number = about.version_template, str(key["made"])
    version = kms.CryptoKeyVersion(
        name=f"{about.name}{VERSIONS}{number}", state="PENDING_GENERATION" if pending else "ENABLED", create_time=about.create_time,
        protection_level=template.protection_level, algorithm=template.algorithm,
    )
    symmetric = template.algorithm.name not in SIGNERS
    secret = AESGCM.generate_key(256) if symmetric else SIGNERS[template.algorithm.name][0]()
    # What a version encrypts begins with its mark.
    key["versions"][number] = {"version": version, "secret": secret, "mark": b"\x0a\x24\x00" + os.urandom(16), "pending": pending}
    key["primary"] = number if symmetric else None


def make(about, pending=0, versions=1):
    about.create_time = datetime.datetime.now(datetime.UTC)
    about.destroy_scheduled_duration = about.destroy_scheduled_duration or datetime.timedelta(days=30)
    key = STATE.keys[about.name] = {"about": about, "versions": {}, "primary": None, "made": 0}
    for _ in range(versions):
        add_version(key, pending)
    return shown(key)


def shown(key):
    made, primary = kms.CryptoKey(key["about"]), key["versions"].get(key["primary"])
    if primary:
        made.primary = primary["version"]
    return made


def find(name, purpose=None):
    """A key, and of its versions the one that is named or else the primary one, if it has that."""
    name_of_key, _, number = name.partition(VERSIONS)
    key = STATE.keys.get(name_of_key)
    held = key and key["versions"].get(number or key["primary"])
    if key is None or (number and held is None):
        raise Refused(404, "NOT_FOUND", f"{name} not found.")
    if purpose not in (None, key["about"].purpose.name):
        raise invalid(f"{name_of_key} has the purpose {key['about'].purpose.name}, and this needs {purpose}.")
    return key, held


def enabled(held):
    """A version that is still being made is ready for the next who asks, or for one after them."""
    version, state = held["version"], held["version"].state.name
    if held["pending"]:
        held["pending"] -= 1
        version.state = version.state if held["pending"] else "ENABLED"
    if state != "ENABLED":
        why = {"@type": DETAIL + "PreconditionFailure", "violations": [{"type": f"KEY_{state}", "subject": version.name}]}
        raise Refused(400, "FAILED_PRECONDITION", f"{version.name} is not enabled, current state is: {state}.", [why])
    return version


def checked(request, field, value=None):
    """Whether a checksum came with the field, which is no longer than it may be; one that does not fit is refused."""
    value, crc = getattr(request, field) if value is None else value, getattr(request, f"{field}_crc32c")
    if len(value) > (1 << 16) + 64 * (field == "ciphertext"):
        raise invalid(f"The {field} must be no larger than 64 KiB.")
    if crc not in (None, crc32c(value)):
        raise invalid(f"The checksum in field {field}_crc32c did not match the data in field {field}.")
    return crc is not None


def encrypt(request, how):
    _, held = find(request.name, "ENCRYPT_DECRYPT")
    if held is None:
        raise Refused(400, "FAILED_PRECONDITION", f"{request.name} has no primary version.")
    version, aad = enabled(held), request.additional_authenticated_data
    verified, verified_aad = checked(request, "plaintext"), checked(request, "additional_authenticated_data")
    nonce, plaintext = os.urandom(12), os.urandom(len(request.plaintext)) if how == "other" else request.plaintext
    ciphertext = held["mark"] + nonce + AESGCM(held["secret"]).encrypt(nonce, plaintext, aad)
    return kms.EncryptResponse(
        name=version.name, ciphertext=ciphertext, ciphertext_crc32c=crc32c(ciphertext), verified_plaintext_crc32c=verified,
        verified_additional_authenticated_data_crc32c=verified_aad, protection_level=version.protection_level,
    )


def decrypt(request, how):
    key, _ = find(request.name, "ENCRYPT_DECRYPT")
    for field in ["ciphertext", "additional_authenticated_data"]:
        checked(request, field)
    mark, nonce, sealed = request.ciphertext[:19], request.ciphertext[19:31], request.ciphertext[31:]
    number, held = next((pair for pair in key["versions"].items() if pair[1]["mark"] == mark), (None, None))
    if held is None:
        raise invalid("Decryption failed: verify that 'name' refers to the correct CryptoKey.")
    version = enabled(held)
    try:
        plaintext = AESGCM(held["secret"]).decrypt(nonce, sealed, request.additional_authenticated_data)
    except (InvalidTag, ValueError):
        raise invalid("Decryption failed: the ciphertext is invalid.") from None
    if how == "other":
        plaintext = os.urandom(len(plaintext))
    primary, level = number == key["primary"], version.protection_level
    return kms.DecryptResponse(plaintext=plaintext, plaintext_crc32c=crc32c(plaintext), used_primary=primary, protection_level=level)


def asymmetric_sign(request, how):
    _, held = find(request.name, "ASYMMETRIC_SIGN")
    version = enabled(held)
    _, wanted, length, sign = SIGNERS[version.algorithm.name]
    kind = kms.Digest.pb(request.digest).WhichOneof("digest")
    digest = getattr(request.digest, kind) if kind else b""
    if (kind or "data") != wanted or (kind and request.data) or (kind and len(digest) != length):
        raise invalid(f"{version.algorithm.name} signs {wanted}, of {length or 'any number of'} bytes.")
    verified, verified_digest = checked(request, "data"), checked(request, "digest", digest)
    signature = sign(held["secret"], os.urandom(length or 32) if how == "other" else digest or request.data)
    return kms.AsymmetricSignResponse(
        name=version.name, signature=signature, signature_crc32c=crc32c(signature), verified_data_crc32c=verified,
        verified_digest_crc32c=verified_digest, protection_level=version.protection_level,
    )


def get_public_key(request, how):
    _, held = find(request.name, "ASYMMETRIC_SIGN")
    version, form = enabled(held), request.public_key_format.name.replace("PUBLIC_KEY_FORMAT_UNSPECIFIED", "PEM")
    algorithm = version.algorithm.name
    if form not in (["NIST_PQC"] if algorithm.startswith("PQ_") else ["PEM", "DER"]):
        raise invalid(f"The public key of {algorithm} is not to be had as {form}.")
    public = (SIGNERS[algorithm][0]() if how == "other" else held["secret"]).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    data = public.public_bytes_raw() if form == "NIST_PQC" else public.public_bytes(getattr(serialization.Encoding, form), spki)
    pem = {"pem": data.decode(), "pem_crc32c": crc32c(data)} if form == "PEM" else {}
    return kms.PublicKey(
        name=version.name, algorithm=version.algorithm, protection_level=version.protection_level, public_key_format=form,
        public_key={"data": data, "crc32c_checksum": crc32c(data)}, **pem,
    )


def create(request, _how):
    about, name = request.crypto_key, f"{request.parent}/cryptoKeys/{request.crypto_key_id}"
    template, purpose, duration = about.version_template, about.purpose.name, about.destroy_scheduled_duration
    members = {field.name for field, _ in kms.CryptoKey.pb(about).ListFields()}
    labels = [re.fullmatch(r"[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}", f"{label}={value}") for label, value in about.labels.items()]
    template.protection_level = template.protection_level or kms.ProtectionLevel.SOFTWARE
    if purpose == "ENCRYPT_DECRYPT" and not template.algorithm:
        template.algorithm = "GOOGLE_SYMMETRIC_ENCRYPTION"
    algorithm, level = template.algorithm.name, template.protection_level.name
    for fits, what in [
        (re.fullmatch(r"[a-zA-Z0-9_-]{1,63}", request.crypto_key_id) and not request.trusted_wrapping_enabled, "request"),
        (members <= {"purpose", "labels", "version_template", "destroy_scheduled_duration"}, "crypto_key"),
        (all(labels) and len(labels) <= 64, "labels"),
        (algorithm in ALGORITHMS.get(purpose, []), "algorithm"),
        (level in (["SOFTWARE"] if algorithm.startswith("PQ_") else ["SOFTWARE", "HSM"]), "protection_level"),
        (not duration or datetime.timedelta(days=1) <= duration <= datetime.timedelta(days=120), "destroy_scheduled_duration"),
    ]:
        if not fits:
            raise invalid(f"The {what} is none that is supported for {purpose} with {algorithm} at {level}.")
    if name in STATE.keys:
        raise Refused(409, "ALREADY_EXISTS", f"CryptoKey {name} already exists.")
    about.name = name
    return make(about, STATE.pending if purpose == "ASYMMETRIC_SIGN" else 0, 0 if request.skip_initial_version_creation else 1)


def list_keys(request, _how):
    wanted = re.fullmatch(r'labels\.([a-z][a-z0-9_-]*)=("?)([a-z0-9_-]*)\2', request.filter)
    # What a page's token has in it must be escaped.
    start = re.fullmatch(r"(?:(\d+)\+/=&)?", request.page_token)
    if (request.filter and not wanted) or not start or request.page_size < 0 or request.order_by:
        raise invalid("The filter, the order or the page is none that is known here.")
    keys = [key for name, key in sorted(STATE.keys.items()) if name.startswith(f"{request.parent}/cryptoKeys/")]
    keys = [key for key in keys if not wanted or key["about"].labels.get(wanted[1]) == wanted[3]]
    begin, size = int(start[1] or 0), min(request.page_size or STATE.page, STATE.page)
    token = f"{begin + size}+/=&" if begin + size < len(keys) else ""
    page, total = [shown(key) for key in keys[begin:begin + size]], 0 if wanted else len(keys)
    return kms.ListCryptoKeysResponse(crypto_keys=page, next_page_token=token, total_size=total)


def destroy(request, _how):
    key, held = find(request.name)
    version = enabled(held) if held["pending"] else held["version"]
    if version.state.name not in ("ENABLED", "DISABLED"):
        raise Refused(400, "FAILED_PRECONDITION", f"{version.name} has value {version.state.name} in field crypto_key_version.state.")
    version.state, version.destroy_time = "DESTROY_SCHEDULED", datetime.datetime.now(datetime.UTC) + key["about"].destroy_scheduled_duration
    return kms.CryptoKeyVersion(version)


OPERATIONS = {
    "Encrypt": ("cryptoKeyVersions.useToEncrypt", encrypt), "Decrypt": ("cryptoKeyVersions.useToDecrypt", decrypt),
    "AsymmetricSign": ("cryptoKeyVersions.useToSign", asymmetric_sign), "GetPublicKey": ("cryptoKeyVersions.viewPublicKey", get_public_key),
    "GetCryptoKey": ("cryptoKeys.get", lambda request, _: shown(find(request.name)[0])), "CreateCryptoKey": ("cryptoKeys.create", create),
    "ListCryptoKeys": ("cryptoKeys.list", list_keys), "DestroyCryptoKeyVersion": ("cryptoKeyVersions.destroy", destroy),
    "GetCryptoKeyVersion": ("cryptoKeyVersions.get", lambda request, _: kms.CryptoKeyVersion(find(request.name)[1]["version"])),
}
DEFAULT = [f"cloudkms.{permission}" for permission, _ in OPERATIONS.values()]
REFUSALS = {
    "throttled": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric."), "internal": (500, "INTERNAL", "injected"),
    "denied": (403, "PERMISSION_DENIED", "The caller does not have permission"), "down": (503, "UNAVAILABLE", "injected"),
    "rejected": (401, "UNAUTHENTICATED", "Request had no valid authentication credentials."), "missing": (404, "NOT_FOUND", "injected"),
    "invalid": (400, "INVALID_ARGUMENT", "injected"),
}


def published(action):
    """Where Google's own client sends this: host, method and path, and which fields of the message are in the path and in the body."""
    rule, = getattr(Published, f"_Base{action}")._get_http_options()
    before, field, template, after = re.fullmatch(r"(.*)\{(\w+)=(.+)\}(.*)", rule["uri"]).groups()
    template = re.sub(r"\*+", lambda stars: ".+" if stars[0] == "**" else "[^/]+", template)
    return KMS, rule["method"].upper(), f"{before}({template}){after}", field, rule.get("body")


ROUTES = {
    "sts.token": (STS, "POST", "/v1/token()"), **{action: published(action) for action in OPERATIONS},
    "iamcredentials.generateAccessToken": (IAM, "POST", "/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken"),
}
MEMBERS = {"sts.token": {*EXCHANGE, "audience", "scope", "subject_token"}, "iamcredentials.generateAccessToken": {"scope", "lifetime"}}


def message(action, name, query, body):
    """The request as the message that Google publishes for it."""
    *_, field, body_field = ROUTES[action]
    request = getattr(kms, f"{action}Request")
    made = request.pb(request())
    query = {parameter: value for parameter, value in parameters(query).items() if parameter not in ("alt", "$alt", "prettyPrint")}
    if (body and not body_field) or (query and body_field == "*") or not isinstance(json.loads(body or "{}"), dict):
        raise ValueError("there is too much, or it is no structure")
    Parse(body or b"{}", made if body_field in (None, "*") else getattr(made, body_field))
    ParseDict({parameter: {"true": True, "false": False}.get(value, value) for parameter, value in query.items()}, made)
    if getattr(made, field):
        raise ValueError(f"the path has the {field}")
    setattr(made, field, name)
    return request.wrap(made)


def understood(action, name, query, body):
    """The request, of which every member is known."""
    try:
        if action in OPERATIONS:
            return message(action, name, query, body)
        made = parameters(body.decode()) if action == "sts.token" else json.loads(body)
        if query or set(made) != MEMBERS[action]:
            raise ValueError(f"the members are {', '.join(sorted(MEMBERS[action]))}")
        return made
    except (ParseError, TypeError, ValueError) as error:
        raise invalid(f"Invalid payload received. {error}") from None


def spoil(made, how):
    for field, value in made.ListFields():
        if how == "crc" and field.message_type and re.search("crc32c(_checksum)?$", field.name):
            value.value ^= 1
        elif how == "unverified" and field.name.startswith("verified_"):
            made.ClearField(field.name)
        elif how == "renamed" and field.name == "name":
            made.name += "0"
        elif field.name == "public_key":
            spoil(value, how)


def perform(call, request, bearer, how, numbers):
    if call["action"] == "sts.token":
        return exchange(request)
    held = holder(bearer, call["host"])
    call["as"] = held["principal"]
    if call["action"] not in OPERATIONS:
        return impersonate(call["on"], request, held)
    permission, operation = OPERATIONS[call["action"]]
    if f"cloudkms.{permission}" not in STATE.permissions.get(held["principal"], DEFAULT):
        raise denied(f"cloudkms.{permission}", f" '{call['on']}'")
    if getattr(request, "parent", None) not in (None, *STATE.rings):
        raise Refused(404, "NOT_FOUND", f"KeyRing {request.parent} not found.")
    answer = operation(request, how)
    spoil(answer._pb, how)
    # A project has an id and a number, and either may be in an answer.
    return MessageToJson(answer._pb, use_integers_for_enums=numbers).replace(*STATE.answers_as).encode()


class Handler(local_cloud.Handler):
    def serve(self, method, body):
        host, url = self.headers["Host"], urllib.parse.urlsplit(self.path)
        path, numbers = urllib.parse.unquote(url.path), "enum-encoding=int" in urllib.parse.unquote(url.query)
        found = ((action, re.fullmatch(route[2], path)) for action, route in ROUTES.items() if route[:2] == (host, method))
        action, name = next(((action, match[1]) for action, match in found if match), ("unknown", path))
        call, bearer = {"action": action, "host": host, "on": name}, self.headers.get("Authorization", "")
        try:
            with STATE.lock:
                STATE.came(call)
                if bearer.startswith("Bearer eyJ") and bearer[7:] not in STATE.issued:
                    STATE.issued.append(bearer[7:])
                if action == "unknown":
                    raise Refused(404, "NOT_FOUND", "There is no such route.")
                request = understood(action, name, url.query, body)
                if action == "sts.token":
                    call["on"] = request["audience"]
                elif action in ("Encrypt", "Decrypt"):
                    call["aad"] = request.additional_authenticated_data.decode(errors="replace")
            how = self.fault_for(action, call["on"])
            if self.went_wrong(how, host):
                return None
            if how in REFUSALS:
                raise Refused(*REFUSALS[how])
            with STATE.lock:
                answer = perform(call, request, bearer, how, numbers)
            if how == "lost":
                return self.hang_up()
            return self.answer(200, answer)
        except Refused as refused:
            if action == "sts.token":
                code = refused.code.lower().replace("invalid_argument", "invalid_request")
                return self.answer(refused.status, {"error": code, "error_description": refused.message})
            error = {"code": refused.status, "message": refused.message, "status": refused.code, "details": refused.inner or []}
            headers = [("WWW-Authenticate", 'Bearer realm="https://accounts.google.com/"')] if refused.status == 401 else []
            return self.answer(refused.status, {"error": error}, headers)


local_cloud.run(STATE, Handler, [KMS, STS, IAM])
