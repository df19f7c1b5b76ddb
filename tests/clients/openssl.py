"""What openssl's command line says about keys, signatures and ciphertexts: it shares no code with moho."""

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

HASHES = {"SHA_224": "sha224", "SHA_256": "sha256", "SHA_384": "sha384", "SHA_512": "sha512"}


def run(*arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True)
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr.decode()}"
    return done.stdout


def says_no(*arguments: str) -> bool:
    return subprocess.run(["openssl", *arguments], capture_output=True).returncode != 0


@contextmanager
def files(**contents: bytes):
    """Files with these contents, by the names they have here."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, content in contents.items():
            path = Path(folder) / name
            path.write_bytes(content)
            paths[name] = str(path)
        yield paths


def text_of(public: bytes) -> str:
    """A public key in words."""
    with files(key=public) as path:
        return run("pkey", "-pubin", "-inform", "DER", "-in", path["key"], "-text", "-noout").decode()


def public_of(private: bytes) -> bytes:
    with files(key=private) as path:
        return run("pkey", "-inform", "DER", "-in", path["key"], "-pubout", "-outform", "DER")


def private_key(*arguments: str) -> bytes:
    """A new private key, as PKCS #8 in DER."""
    made = run("genpkey", *arguments, "-outform", "DER")
    return run("pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER", given=made)


def hash_of(algorithm: str) -> str:
    return next(name for ending, name in HASHES.items() if algorithm.endswith(ending))


def _signing(algorithm: str) -> list[str]:
    if "PSS" not in algorithm:
        return []
    return ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]


def verifies(public: bytes, algorithm: str, message: bytes, signature: bytes) -> bool:
    with files(key=public, message=message, signature=signature) as path:
        if algorithm == "ED25519_SHA_512":
            key = ["-pubin", "-keyform", "DER", "-inkey", path["key"]]
            return not says_no("pkeyutl", "-verify", *key, "-rawin", "-in", path["message"], "-sigfile", path["signature"])
        pem = run("pkey", "-pubin", "-inform", "DER", "-in", path["key"])
        Path(path["key"]).write_bytes(pem)
        how = [f"-{hash_of(algorithm)}", *_signing(algorithm)]
        return not says_no("dgst", *how, "-verify", path["key"], "-signature", path["signature"], path["message"])


def sign(private: bytes, algorithm: str, message: bytes) -> bytes:
    with files(key=private, message=message) as path:
        if algorithm == "ED25519_SHA_512":
            key = ["-keyform", "DER", "-inkey", path["key"]]
            return run("pkeyutl", "-sign", *key, "-rawin", "-in", path["message"])
        pem = run("pkey", "-inform", "DER", "-in", path["key"])
        Path(path["key"]).write_bytes(pem)
        return run("dgst", f"-{hash_of(algorithm)}", *_signing(algorithm), "-sign", path["key"], path["message"])


def digest(algorithm: str, message: bytes) -> bytes:
    return run("dgst", f"-{hash_of(algorithm)}", "-binary", given=message)


def mac(key: bytes, algorithm: str, message: bytes) -> bytes:
    how = ["-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}"]
    return run("dgst", f"-{hash_of(algorithm)}", *how, "-binary", given=message)


def agree(private: bytes, public: bytes) -> bytes:
    with files(key=private, peer=public) as path:
        peer = ["-peerform", "DER", "-peerkey", path["peer"]]
        return run("pkeyutl", "-derive", "-keyform", "DER", "-inkey", path["key"], *peer)


def _oaep(algorithm: str) -> list[str]:
    name = "sha1" if algorithm.endswith("SHA_1") else "sha256"
    options = ["rsa_padding_mode:oaep", f"rsa_oaep_md:{name}", f"rsa_mgf1_md:{name}"]
    return [word for option in options for word in ("-pkeyopt", option)]


def encrypt(public: bytes, algorithm: str, plaintext: bytes) -> bytes:
    with files(key=public) as path:
        key = ["-pubin", "-keyform", "DER", "-inkey", path["key"]]
        return run("pkeyutl", "-encrypt", *key, *_oaep(algorithm), given=plaintext)


def decrypt(private: bytes, algorithm: str, ciphertext: bytes) -> bytes:
    with files(key=private) as path:
        key = ["-keyform", "DER", "-inkey", path["key"]]
        return run("pkeyutl", "-decrypt", *key, *_oaep(algorithm), given=ciphertext)


def wrap(public: bytes, algorithm: str, material: bytes, aes: bytes = bytes(range(32))) -> bytes:
    """Wraps material to be imported, as AWS's guide does."""
    if algorithm.startswith("RSAES_OAEP"):
        return encrypt(public, algorithm, material)
    padded = run("enc", "-id-aes256-wrap-pad", "-K", aes.hex(), "-iv", "A65959A6", given=material)
    return encrypt(public, algorithm, aes) + padded
