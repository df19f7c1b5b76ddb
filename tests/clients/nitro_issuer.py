"""An issuer of Nitro attestation documents for tests: its own root, which nobody but a test takes for AWS's.

It shares no code with moho: certificates are cryptography's, CBOR and COSE are written here.
"""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

import openssl

PROTECTED = bytes.fromhex("a1013822")


def head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes([kind << 5 | number])
    for short, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([kind << 5 | short]) + number.to_bytes(size, "big")
    raise ValueError(number)


def cbor(value) -> bytes:
    """Numbers, bytes, text, lists, maps and None, as evidence has them."""
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(item) for item in value)
    return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


class NitroIssuer:
    """A root, an authority under it, and instances that it certifies for three hours."""

    def __init__(self, now: datetime.datetime | None = None):
        self.now = now or datetime.datetime.now(datetime.timezone.utc)
        self.root_key, self.zone_key, self.key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))
        self.root = self._certificate("moho test root, not of AWS", None, self.root_key, days=30)
        self.zone = self._certificate("test zone", self.root, self.zone_key, days=1)
        self.leaf = self._certificate("test instance", self.zone, self.key, days=0)

    def _certificate(self, name, issuer, key, days) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        authority = days > 0
        usage = {use: False for use in ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only", "decipher_only")}
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - datetime.timedelta(minutes=1))
            .not_valid_after(self.now + datetime.timedelta(days=days, hours=3))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **usage), critical=True)
        )
        signer = {None: self.root_key, getattr(self, "root", None): self.root_key}.get(issuer, self.zone_key)
        return made.sign(signer, hashes.SHA384())

    def write_root(self, path: Path) -> str:
        path.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))
        return str(path)

    def document(self, public_key: bytes | None, kind="enclave", pcrs=None, **other) -> bytes:
        """A document that is right in everything but what `other` and `pcrs` say."""
        count = 16 if kind == "enclave" else 24
        touched = {0: 1, 1: 2, 2: 3, 8: 9} if kind == "enclave" else {0: 1, 4: 5, 7: 8, 11: 12}
        registers = {index: bytes([touched.get(index, 0)]) * 48 for index in range(count)}
        registers |= pcrs or {}
        fields = {
            "module_id": "i-0123456789abcdef0-" + ("enc0123456789abcdef" if kind == "enclave" else "tpm0000000000000000"),
            "digest": "SHA384",
            "timestamp": int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000),
            "pcrs" if kind == "enclave" else "nitrotpm_pcrs": registers,
            "certificate": der(self.leaf),
            "cabundle": [der(self.root), der(self.zone)],
            "public_key": public_key,
            "user_data": None,
            "nonce": None,
        }
        return self.sign(cbor({name: value for name, value in (fields | other).items() if value != "left out"}))

    def sign(self, payload: bytes) -> bytes:
        signed = cbor(["Signature1", PROTECTED, b"", payload])
        r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA384())))
        return b"\x84" + cbor(PROTECTED) + b"\xa0" + cbor(payload) + cbor(r.to_bytes(48, "big") + s.to_bytes(48, "big"))


class Enclave:
    """What runs in an enclave: a key that was born there."""

    def __init__(self, bits=2048):
        self.key = rsa.generate_private_key(65537, bits)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def opens(self, ciphertext_for_recipient: bytes) -> bytes:
        """What openssl finds in it, with this key."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with openssl.files(key=pem, cms=ciphertext_for_recipient) as path:
            return openssl.run("cms", "-decrypt", "-inkey", path["key"], "-inform", "DER", "-in", path["cms"], "-binary")
