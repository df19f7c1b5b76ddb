"""A witness of transparency logs (C2SP tlog-witness) that the tests play: it remembers what it saw, checks signature and proof by
the specification, and cosigns."""

import base64
import hashlib
import json
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity_provider import Certificate

COSIGNATURE = 4


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: list[bytes]) -> bool:
    """RFC 9162, 2.1.4.2."""
    if old == new or old == 0:
        return not path and (old == 0 or old_root == new_root)
    path = ([old_root] if old & (old - 1) == 0 else []) + path
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for part in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = hashlib.sha256(b"\x01" + part + first).digest(), hashlib.sha256(b"\x01" + part + second).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = hashlib.sha256(b"\x01" + second + part).digest()
        at, last = at >> 1, last >> 1
    return first == old_root and second == new_root and last == 0


class Witness:
    def __init__(self, certificate: Certificate, name: str = "witness.example/w"):
        self.name, self.signing = name, Ed25519PrivateKey.generate()
        self.seen: dict[str, tuple[int, bytes]] = {}
        self.logs: dict[str, bytes] = {}
        self.refused: list[int] = []
        self.silent = False
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if witness.silent:
                    time.sleep(8)
                status, answer = witness.add(body.decode()) if self.path == "/w/add-checkpoint" else (404, "")
                if status != 200:
                    witness.refused.append(status)
                self.send_response(status)
                if status == 409:
                    self.send_header("content-type", "text/x.tlog.size")
                self.send_header("content-length", str(len(answer.encode())))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def key(self) -> str:
        public = raw(self.signing)
        text = base64.b64encode(bytes([COSIGNATURE]) + public).decode()
        return f"{self.name}+{key_id(self.name, COSIGNATURE, public).hex()}+{text}"

    @property
    def setting(self) -> str:
        return f"{self.key}@https://127.0.0.1:{self.server.server_address[1]}/w"

    def trust(self, log: str) -> None:
        """A log by its key: `NAME+ID+KEY`."""
        name, _, key = log.strip().split("+", 2)
        self.logs[name] = base64.b64decode(key)[1:]

    def add(self, body: str) -> tuple[int, str]:
        head, _, note = body.partition("\n\n")
        lines = head.split("\n")
        old, path = int(lines[0].removeprefix("old ")), [base64.b64decode(line) for line in lines[1:]]
        text, _, signatures = note.partition("\n\n")
        text += "\n"
        origin, size, root = text.split("\n")[:3]
        size, root = int(size), base64.b64decode(root)
        if origin not in self.logs:
            return 404, ""
        signed = base64.b64decode(signatures.split("\n")[0].split(" ")[2])
        try:
            Ed25519PublicKey.from_public_bytes(self.logs[origin]).verify(signed[4:], text.encode())
        except InvalidSignature:
            return 403, ""
        known, known_root = self.seen.get(origin, (0, b""))
        if old > size:
            return 400, ""
        if old != known or (old == size and root != known_root):
            return 409, f"{known}\n"
        if not consistent(old, size, known_root, root, path):
            return 422, ""
        self.seen[origin] = (size, root)
        now = int(time.time())
        stamp = struct.pack(">Q", now)
        signature = stamp + self.signing.sign(f"cosignature/v1\ntime {now}\n{text}".encode())
        line = base64.b64encode(key_id(self.name, COSIGNATURE, raw(self.signing)) + signature).decode()
        return 200, f"— {self.name} {line}\n"

    def state(self) -> str:
        return json.dumps({name: size for name, (size, _) in self.seen.items()})

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()
