"""Azure Key Vault and Microsoft Entra ID on this machine, as far as the vault asks them: Key Vault's REST API 7.6 for keys, and tokens for
applications (client credentials, by secret or by assertion).

    local_azure.py

It prints one line of JSON: the port that it listens at by TLS, the port of `/control`, and the PEM of the authority that its certificate is
by. Hosts are told apart by the name that is asked for, as the real ones are. A member that the API does not have is refused.

`POST /control` sets applications, keys and faults; `GET /control` tells which calls came and which keys there are.
"""

import json
import os
import urllib.parse
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

import local_cloud
from local_cloud import Refused, b64, unb64

AUTHORITIES = {
    "login.microsoftonline.com": "azure.net", "login.chinacloudapi.cn": "azure.cn", "login.microsoftonline.us": "usgovcloudapi.net",
}
SUFFIXES = ["vault.azure.net", "managedhsm.azure.net", "vault.azure.cn", "managedhsm.azure.cn", "vault.usgovcloudapi.net", "managedhsm.usgovcloudapi.net"]
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


class State(local_cloud.State):
    def __init__(self):
        super().__init__()
        self.apps, self.keys, self.deleted = {}, {}, {}

    def change(self, change):
        for tenant, apps in change.get("apps", {}).items():
            self.apps.setdefault(tenant, {}).update(apps)
        if change.get("forgetDeleted"):
            self.deleted = {}
        for made in change.get("make", []):
            hsm = "-HSM" if ".managedhsm." in made["host"] else ""
            kty = made.get("kty", "RSA") + hsm
            ops = ["wrapKey", "unwrapKey"] if kty.startswith("RSA") else ["sign", "verify"]
            create(made["host"], made["name"], {"kty": kty, "crv": "P-256", "key_ops": ops})
        for name, enabled in change.get("enable", {}).items():
            for names in self.keys.values():
                for version in names.get(name, {"versions": {}})["versions"].values():
                    version["enabled"] = enabled
        return super().change(change)

    def told(self):
        keys = [
            {"id": f"https://{host}/keys/{name}/{version}", "tags": key["tags"], "enabled": made["enabled"]}
            for host, names in self.keys.items() for name, key in names.items() for version, made in key["versions"].items()
        ]
        gone = [f"https://{host}/keys/{name}" for host, names in self.deleted.items() for name in names]
        return {**super().told(), "keys": keys, "deleted": gone}


STATE = State()


def only(body, *names):
    if not isinstance(body, dict) or set(body) - set(names):
        raise Refused(400, "BadParameter", f"only {', '.join(names)} are known here")
    return body


def token(host, tenant, form):
    """OAuth 2.0 client credentials (RFC 6749 section 4.4), as Entra ID answers it."""
    def refuse(number, words, status=401, error="invalid_client"):
        raise Refused(status, error, f"AADSTS{number}: {words}\r\nTrace ID: {uuid.uuid4()}", number)

    scope = form.get("scope", "")
    if form.get("grant_type") != "client_credentials" or not scope.endswith(f"{AUTHORITIES[host]}/.default"):
        refuse(70011, "The provided request must include a 'scope' input parameter.", 400, "invalid_scope")
    app = STATE.apps.get(tenant, {}).get(form.get("client_id"))
    if app is None:
        refuse(700016, "Application was not found in the directory.", 400, "unauthorized_client")
    if "client_secret" in form:
        if form["client_secret"] != app.get("secret"):
            refuse(7000215, "Invalid client secret provided.")
    else:
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            refuse(50027, "The client assertion type is not known.")
        claims = json.loads(unb64(form["client_assertion"].split(".")[1]))
        if app.get("audience") not in ("*", claims["aud"]):
            refuse(700212, "No matching federated identity record found for presented assertion audience.")
    seconds = app.get("seconds", 3600)
    made = STATE.issue(f"eyJ-{uuid.uuid4()}", seconds, resource=scope.removesuffix("/.default"))
    return {"token_type": "Bearer", "expires_in": seconds, "access_token": made}


def shown(host, name, version):
    key = STATE.keys[host][name]
    made = key["versions"][version]
    public = made["private"].public_key().public_numbers()
    jwk = {"kid": f"https://{host}/keys/{name}/{version}", "kty": key["kty"], "key_ops": made["ops"]}
    if key["kty"].startswith("EC"):
        jwk.update(crv="P-256", x=b64(public.x.to_bytes(32)), y=b64(public.y.to_bytes(32)))
    else:
        jwk.update(n=b64(public.n.to_bytes((public.n.bit_length() + 7) // 8)), e=b64(public.e.to_bytes(3)))
    attributes = {"enabled": made["enabled"], "created": 1, "updated": 1, "recoveryLevel": "Recoverable", "recoverableDays": 90}
    return {"key": jwk, "attributes": attributes, "tags": key["tags"]}


def create(host, name, body):
    only(body, "kty", "key_size", "key_ops", "attributes", "tags", "crv", "public_exponent", "release_policy")
    kty, ops = body.get("kty"), body.get("key_ops", [])
    if kty.endswith("-HSM") != (".managedhsm." in host):
        raise Refused(400, "BadParameter", f"{kty} is not made here")
    if kty.startswith("EC"):
        if body.get("crv") != "P-256":
            raise Refused(400, "BadParameter", "crv")
        private = ec.generate_private_key(ec.SECP256R1())
    elif kty.startswith("RSA"):
        private = rsa.generate_private_key(65537, body.get("key_size", 2048))
    else:
        raise Refused(400, "BadParameter", f"kty {kty}")
    version = uuid.uuid4().hex
    if name in STATE.deleted.get(host, {}):
        raise Refused(409, "Conflict", "Key is currently in a deleted but recoverable state", "ObjectIsDeletedButRecoverable")
    key = STATE.keys.setdefault(host, {}).setdefault(name, {"kty": kty, "tags": body.get("tags", {}), "versions": {}, "latest": version})
    key["versions"][version] = {"private": private, "ops": ops, "enabled": body.get("attributes", {}).get("enabled", True)}
    key["latest"] = version
    return shown(host, name, version)


def find(host, name, version):
    key = STATE.keys.get(host, {}).get(name)
    version = version or (key and key["latest"])
    if key is None or version not in key["versions"]:
        raise Refused(404, "KeyNotFound", f"A key with (name/id) {name}/{version} was not found in this key vault.")
    return key, version


def usable(key, version, operation):
    made = key["versions"][version]
    if not made["enabled"]:
        raise Refused(403, "Forbidden", f"Operation {operation} is not allowed on a disabled key.", "KeyDisabled")
    if operation not in made["ops"]:
        raise Refused(403, "Forbidden", f"Operation {operation} is not permitted on this key.", "KeyOperationForbidden")
    return made["private"]


def operate(host, name, version, action, body, how):
    only(body, "alg", "value")
    key, version = find(host, name, version)
    value = unb64(body["value"])
    kid = f"https://{host}/keys/{name}/{version}"
    if action == "sign":
        private = usable(key, version, "sign")
        if body["alg"] != "ES256" or len(value) != 32:
            raise Refused(400, "BadParameter", "The digest must be 32 bytes for ES256.")
        if how == "other":
            value = os.urandom(32)
        r, s = utils.decode_dss_signature(private.sign(value, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        return {"kid": kid, "value": b64(r.to_bytes(32) + s.to_bytes(32))}
    if body["alg"] != "RSA-OAEP-256":
        raise Refused(400, "BadParameter", "alg")
    if action == "wrapkey":
        private = usable(key, version, "wrapKey")
        return {"kid": kid, "value": b64(private.public_key().encrypt(value, OAEP))}
    private = usable(key, version, "unwrapKey")
    try:
        opened = private.decrypt(value, OAEP)
    except ValueError:
        raise Refused(400, "BadParameter", "The parameter is incorrect.") from None
    return {"kid": kid, "value": b64(os.urandom(32) if how == "other" else opened)}


REFUSALS = {
    "throttled": (429, "Throttled", "Request was not processed because too many requests were received."), "internal": (500, "InternalServerError", "injected"),
    "denied": (403, "Forbidden", "The user, group or application does not have the permission."), "down": (503, "ServiceUnavailable", "injected"),
    "rejected": (401, "Unauthorized", "AKV10032: Invalid issuer."), "missing": (404, "KeyNotFound", "injected"),
}


class Handler(local_cloud.Handler):
    request_id = "x-ms-request-id"

    def serve(self, method, body):
        host = self.headers["Host"]
        url = urllib.parse.urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        if host in AUTHORITIES:
            action, name = "token", parts[0]
        else:
            action = parts[-1] if method == "POST" and parts[-1] else f"{method.lower()}-{parts[0]}"
            name = parts[1] if len(parts) > 1 else ""
        bearer = self.headers.get("Authorization", "")
        if host not in AUTHORITIES and not bearer:
            # The first request of a client has no body either.
            return self.challenge(host)
        STATE.came({"action": action, "host": host, "name": name})
        how = self.fault_for(action, name)
        if self.went_wrong(how, host):
            return None
        try:
            if how in REFUSALS:
                raise Refused(*REFUSALS[how])
            with STATE.lock:
                if action == "token":
                    return self.answer(200, token(host, name, dict(urllib.parse.parse_qsl(body.decode()))))
                answer = self.vault(method, host, parts, urllib.parse.parse_qs(url.query), bearer, body, how)
            if how == "lost":
                return self.hang_up()
            return self.answer(200, answer)
        except Refused as refused:
            if action == "token":
                return self.answer(refused.status, {"error": refused.code, "error_description": refused.message, "error_codes": [refused.inner or 1]})
            error = {"code": refused.code, "message": refused.message, "innererror": refused.inner and {"code": refused.inner}}
            headers = [("WWW-Authenticate", self.bearer(host))] if refused.status == 401 else []
            return self.answer(refused.status, {"error": error}, headers)

    def bearer(self, host):
        return f'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://{host.split(".", 1)[1]}"'

    def challenge(self, host):
        error = {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}}
        self.answer(401, error, [("WWW-Authenticate", self.bearer(host))])

    def vault(self, method, host, parts, query, bearer, body, how):
        held = STATE.held(bearer.removeprefix("Bearer "))
        if held is None or held["resource"] != f"https://{host.split('.', 1)[1]}":
            raise Refused(401, "Unauthorized", "AKV10032: the token is not taken.")
        if not query.get("api-version"):
            raise Refused(400, "BadParameter", "api-version must be specified")
        body = json.loads(body) if body else None
        match method, parts:
            case "GET", ["keys"]:
                names = sorted(STATE.keys.get(host, {}))
                start = int(query.get("$skiptoken", ["0"])[0])
                page = names[start:start + 2]
                more = start + 2 < len(names)
                link = f"https://{host}/keys?api-version=7.6&$skiptoken={start + 2}" if more else None
                if more and how == "elsewhere":
                    link = f"https://evil.example/keys?$skiptoken={start + 2}"
                listed = [{"kid": f"https://{host}/keys/{name}", "attributes": {"enabled": True}, "tags": STATE.keys[host][name]["tags"]} for name in page]
                return {"value": listed, "nextLink": link}
            case "GET", ["keys", name, *version]:
                key, version = find(host, name, version[0] if version else "")
                return shown(host, name, version)
            case "GET", ["deletedkeys", name]:
                if name not in STATE.deleted.get(host, {}):
                    raise Refused(404, "KeyNotFound", f"Deleted key {name} was not found.")
                return {"recoveryId": f"https://{host}/deletedkeys/{name}", "tags": STATE.deleted[host][name]["tags"]}
            case "DELETE", ["keys", name]:
                find(host, name, "")
                STATE.deleted.setdefault(host, {})[name] = STATE.keys[host].pop(name)
                return {"recoveryId": f"https://{host}/deletedkeys/{name}", "scheduledPurgeDate": 2}
            case "POST", ["keys", name, "create"]:
                return create(host, name, body)
            case "POST", ["keys", name, action] if action in ("sign", "wrapkey", "unwrapkey"):
                return operate(host, name, "", action, body, how)
            case "POST", ["keys", name, version, action] if action in ("sign", "wrapkey", "unwrapkey"):
                return operate(host, name, version, action, body, how)
        raise Refused(404, "NotFound", "there is no such route")


local_cloud.run(STATE, Handler, [*AUTHORITIES, *(f"*.{suffix}" for suffix in SUFFIXES)])
