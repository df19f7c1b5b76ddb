"""Identity providers for the tests: the real one from npm, and one that the tests play to be worse than any real one."""

import base64
import datetime
import ipaddress
import json
import os
import re
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from serving import free_port

PROVIDER = Path(__file__).with_name("oidc-provider") / "server.mjs"
PATIENCE = 30
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1, and the authority behind it."""

    chain: Path
    key: Path
    authority: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        folder.mkdir(parents=True, exist_ok=True)
        signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test identity authority")])
        now = datetime.datetime.now(datetime.UTC)

        def begun(name: x509.Name, public) -> x509.CertificateBuilder:
            builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public)
            return builder.serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + DAY)

        authority = begun(issuer, signer.public_key())
        authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        leaf = begun(name, key.public_key()).add_extension(x509.SubjectAlternativeName(names), critical=False)
        files = cls(folder / "chain.pem", folder / "key.pem", folder / "authority.pem")
        pem = serialization.Encoding.PEM
        files.authority.write_bytes(authority.sign(signer, hashes.SHA256()).public_bytes(pem))
        files.chain.write_bytes(leaf.sign(signer, hashes.SHA256()).public_bytes(pem))
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        files.key.write_bytes(private)
        return files


class Keys:
    """One key of each kind, under names of its own."""

    def __init__(self, generation: str):
        self.generation = generation
        self.private = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }

    def name(self, algorithm: str) -> str:
        return f"{algorithm}-{self.generation}"

    def jwk(self, algorithm: str, private: bool) -> dict:
        key = self.private[algorithm]
        known = jwt.get_algorithm_by_name(algorithm)
        found = known.to_jwk(key if private else key.public_key(), as_dict=True)
        found.pop("key_ops", None)
        return found | {"kid": self.name(algorithm), "alg": algorithm, "use": "sig"}

    def jwks(self, private: bool = False) -> dict:
        return {"keys": [self.jwk(algorithm, private) for algorithm in self.private]}

    def sign(self, claims: dict, algorithm: str = "RS256", **header) -> str:
        """A token as the issuer of these keys would make it."""
        header = {"kid": self.name(algorithm)} | header
        return jwt.encode(claims, self.private[algorithm], algorithm, headers=header)


def encoded(part: bytes | dict) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class OidcProvider:
    """npm's `oidc-provider` on a port of its own."""

    def __init__(self, folder: Path, *, clients: dict[str, str], claims: dict | None = None, id_token_seconds: int = 3600):
        self.certificate = Certificate.make(folder)
        self.keys = Keys("first")
        self.port = free_port()
        self.issuer = f"https://127.0.0.1:{self.port}"
        self.name = f"127.0.0.1:{self.port}"
        self.log = folder / "provider.log"
        settings = {
            "issuer": self.issuer,
            "port": self.port,
            "certificate": self.certificate.chain.read_text(),
            "key": self.certificate.key.read_text(),
            "clients": clients,
            "claims": claims or {},
            "id_token_seconds": id_token_seconds,
            "jwks": self.keys.jwks(private=True),
        }
        modules = os.environ.get("MOHO_OIDC_PROVIDER")
        if modules is None:
            raise RuntimeError("set MOHO_OIDC_PROVIDER (`cargo xtask test` does)")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["node", str(PROVIDER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.tell(settings)

    def tell(self, said: dict) -> None:
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ready\n", self.log.read_text()

    def rotate(self, generation: str) -> Keys:
        """Replaces every key; the old ones are gone."""
        self.keys = Keys(generation)
        self.tell(self.keys.jwks(private=True))
        return self.keys

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(PATIENCE)

    def claims(self, client: str, **changes) -> dict:
        now = int(time.time())
        all_claims = {"iss": self.issuer, "sub": "workload", "aud": client, "iat": now, "exp": now + 600} | changes
        return {name: value for name, value in all_claims.items() if value is not None}


class Person:
    """Somebody with a browser that has no screen: follows redirects and fills in the provider's forms."""

    def __init__(self, provider: OidcProvider, name: str):
        self.name = name
        trust = ssl.create_default_context(cafile=provider.certificate.authority)
        self.http = httpx2.Client(verify=trust, timeout=PATIENCE, trust_env=False, follow_redirects=False)

    def go(self, url: str) -> httpx2.Response:
        """Follows redirects, within this provider and back to whoever sent the person."""
        answer = self.http.get(url)
        while answer.is_redirect:
            url = urljoin(url, answer.headers["location"])
            answer = self.http.get(url)
        return answer

    def submit(self, page: httpx2.Response, **fields) -> httpx2.Response:
        form = re.search(r"<form[^>]*\baction=\"([^\"]+)\"[^>]*>(.*?)</form>", page.text, re.S)
        assert form is not None, page.text
        hidden = re.findall(r"<input[^>]*type=\"hidden\"[^>]*name=\"([^\"]+)\"[^>]*value=\"([^\"]*)\"", form[2])
        url = urljoin(str(page.url), unescape(form[1]))
        answer = self.http.post(url, data={name: unescape(value) for name, value in hidden} | fields)
        if answer.is_redirect:
            return self.go(urljoin(url, answer.headers["location"]))
        return answer

    def log_in(self, url: str) -> httpx2.Response:
        """Logs in and agrees; the last page is that of whoever asked."""
        page = self.go(url)
        page = self.submit(page, login=self.name, password="of no importance")
        return self.submit(page)

    def enter_code(self, url: str) -> httpx2.Response:
        """Confirms a device's code, logs in and agrees."""
        page = self.go(url)
        if 'name="user_code"' in page.text and 'name="confirm"' not in page.text:
            page = self.submit(page)
        page = self.submit(page, confirm="yes")
        page = self.submit(page, login=self.name, password="of no importance")
        return self.submit(page)


class PlayedIssuer:
    """An issuer that answers as a test wants: `answer(path)` gives status, headers and the parts of a body."""

    def __init__(self, folder: Path):
        self.certificate = Certificate.make(folder)
        self.keys = Keys("played")
        self.asked: list[str] = []
        self.answer = self.well
        played = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                played.asked.append(self.path)
                status, headers, parts = played.answer(self.path)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("connection", "close")
                    self.end_headers()
                    for part in parts:
                        self.wfile.write(part)
                except OSError:
                    pass

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.chain, self.certificate.key)
        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.issuer = f"https://127.0.0.1:{self.port}"
        self.name = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def well(self, path: str) -> tuple[int, dict, list[bytes]]:
        if path == "/.well-known/openid-configuration":
            return self.document({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})
        if path == "/keys":
            return self.document(self.keys.jwks())
        return 404, {"content-length": "0"}, []

    def document(self, said: dict) -> tuple[int, dict, list[bytes]]:
        body = json.dumps(said).encode()
        return 200, {"content-type": "application/json", "content-length": str(len(body))}, [body]

    def token(self, algorithm: str = "RS256", **changes) -> str:
        return self.keys.sign(self.claims(**changes), algorithm)

    def claims(self, **changes) -> dict:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "workload", "aud": "moho", "iat": now, "exp": now + 600} | changes
        return {name: value for name, value in claims.items() if value is not None}

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()
