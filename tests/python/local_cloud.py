"""What the clouds on this machine have in common: TLS by the names of the real services, the listener and its `/control`, the tokens that
were issued, the calls that came, and what can go wrong with an answer in any of them.
"""

import base64
import datetime
import json
import ssl
import tempfile
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Refused(Exception):
    def __init__(self, status, code, message="", inner=None):
        super().__init__(message)
        self.status, self.code, self.message, self.inner = status, code, message, inner


class State:
    """What a cloud knows. A cloud adds what is its own, to `change` and to `told` as well."""

    def __init__(self):
        self.lock = threading.RLock()
        self.tokens, self.issued, self.faults, self.calls = {}, [], [], []
        self.latency = 0.0
        self.redirect = None

    def issue(self, token, seconds, **about):
        self.tokens[token] = {**about, "until": time.time() + seconds}
        self.issued.append(token)
        return token

    def held(self, token):
        held = self.tokens.get(token)
        return held if held and held["until"] > time.time() else None

    def came(self, call):
        with self.lock:
            self.calls.append(call)

    def fault_for(self, action, name):
        with self.lock:
            for fault in self.faults:
                wanted = fault.get("action", "*") in ("*", action) and fault.get("key", "") in (name or "")
                if wanted and fault.get("times", 1) > 0:
                    if "times" in fault:
                        fault["times"] -= 1
                    return fault["how"]
        return None

    def change(self, change):
        if "latencyMs" in change:
            self.latency = change["latencyMs"] / 1000
        if "redirect" in change:
            self.redirect = change["redirect"]
        if "faults" in change:
            self.faults = change["faults"]
        if change.get("forgetCalls"):
            self.calls = []
        if change.get("forgetTokens"):
            self.tokens = {}
        return {}

    def told(self):
        return {"calls": self.calls, "issued": self.issued}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token):
    """A JWT's header and claims, its signature, and what that is over."""
    signed, _, signature = token.rpartition(".")
    header, claims = signed.split(".")
    return json.loads(unb64(header)), json.loads(unb64(claims)), signature, signed


def crc_table():
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        yield crc


CRC_TABLE = list(crc_table())


def crc32c(data):
    """Castagnoli's."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def parameters(text):
    """A query's or a form's, each of which is there once."""
    pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a parameter is there twice")
    return dict(pairs)


class Handler(BaseHTTPRequestHandler):
    """Requests to a cloud's services, which it answers by `serve`."""

    protocol_version = "HTTP/1.1"
    # An answer is two writes, and the second would wait for the first to be acknowledged.
    disable_nagle_algorithm = True
    state = None
    # The header that tells answers apart, where there is one.
    request_id = None

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if self.request_id:
            self.send_header(self.request_id, str(uuid.uuid4()))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def do_GET(self):
        self.serve("GET", None)

    def do_DELETE(self):
        self.serve("DELETE", None)

    def do_POST(self):
        self.serve("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def fault_for(self, action, name):
        time.sleep(self.state.latency)
        return self.state.fault_for(action, name)

    def went_wrong(self, how, host):
        """Whether the fault was all of the answer."""
        if how == "hang":
            time.sleep(30)
        if how == "dropped":
            self.hang_up()
        elif how == "garbage":
            self.answer(200, b"\x00<html>nothing of the kind</html>")
        elif how == "empty":
            self.answer(200, b"{}")
        elif how == "redirect":
            status, to = self.state.redirect or (307, f"https://elsewhere.{host}")
            self.answer(status, b"", [("Location", to + self.path)])
        else:
            return False
        return True


class Control(Handler):
    def serve(self, method, body):
        with self.state.lock:
            answer = json.dumps(self.state.change(json.loads(body)) if method == "POST" else self.state.told())
        self.answer(200, answer.encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, _request, _address):
        """A caller who hangs up is part of what is tested."""


class TlsServer(Server):
    context = None

    def get_request(self):
        connection, address = super().get_request()
        # The handshake is the thread's that serves it.
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address


def certificates(hosts):
    now = datetime.datetime.now(datetime.timezone.utc)

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject, key):
        builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("tests")).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    builder = certificate("tests", root_key)
    root = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(root_key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    leaf = certificate("local", key).add_extension(names, critical=False).sign(root_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return root.public_bytes(pem), leaf.public_bytes(pem) + private


def run(state, handler, hosts):
    """Listens, says where on one line of JSON, and serves until it is ended."""
    Handler.state = state
    root, chain = certificates(hosts)
    server, control = TlsServer(("127.0.0.1", 0), handler), Server(("127.0.0.1", 0), Control)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(chain)
        file.flush()
        server.context.load_cert_chain(file.name)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1], "control": control.server_address[1], "root": root.decode()}), flush=True)
    server.serve_forever()
