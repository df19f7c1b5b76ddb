"""Opens what moho seals, from docs/sealing.md alone, in sixty lines; what does not open raises InvalidTag."""
import hmac, struct, uuid
from hashlib import sha256
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK, ZERO = 1 << 20, bytes(12)

def check(good):
    if not good:
        raise InvalidTag

def hkdf(secret, salt, info, length=32):
    key, out, block = hmac.digest(salt, secret, sha256), b"", b""
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([len(out) // 32 + 1]), sha256)
        out += block
    return out[:length]

def context_digest(context):
    number = lambda n: struct.pack(">I", n)
    pairs = sorted((key.encode(), value.encode()) for key, value in context.items())
    return sha256(number(len(pairs)) + b"".join(number(len(t)) + t for pair in pairs for t in pair)).digest()

def open_blob(blob, key_id, materials, context):
    """A CiphertextBlob, with the materials of the key by their ids."""
    key, name, salt, commitment, sealed = blob[1:17], blob[17:33], blob[33:65], blob[65:97], blob[97:]
    ids = [material for material in materials if material[:16] == name]
    check(blob[:1] == b"\1" and key == uuid.UUID(key_id).bytes and ids and 16 < len(sealed) and len(blob) <= 6144)
    info = b"moho/kms/1 ciphertext blob" + key + ids[0] + context_digest(context)
    keys = hkdf(materials[ids[0]], salt, info, 64)
    check(hmac.compare_digest(keys[32:], commitment))
    return AESGCM(keys[:32]).decrypt(ZERO, sealed, b"")

def open_object(sealed, key_id, material, context):
    """A sealed object of version 1, with the first material of the key."""
    check(sealed[:26] == b"MOHOSEAL\1\x14" + uuid.UUID(key_id).bytes and len(sealed) >= 154)
    head, salt, wrapped, context = sealed[:106], sealed[26:58], sealed[58:106], context_digest(context)
    wrapping = AESGCM(hkdf(material, salt, b"moho/seal/1 wrap data key"))
    data_key = wrapping.decrypt(ZERO, wrapped, head[:58] + context)
    return open_body(data_key, salt, b"moho/seal/1 ", head + context, sealed[106:138], sealed[138:])

def open_object_2(sealed, key_id, materials, context):
    """A sealed object of version 2, with the materials of the key by their ids."""
    check(sealed[:10] == b"MOHOSEAL\2\x14" and len(sealed) >= 12)
    at = 12 + int.from_bytes(sealed[10:12])
    check(len(sealed) >= at + 80)
    data_key = open_blob(sealed[12:at], key_id, materials, context)
    head = sealed[: at + 32] + context_digest(context)
    return open_body(data_key, sealed[at : at + 32], b"moho/seal/2 ", head, sealed[at + 32 : at + 64], sealed[at + 64 :])

def open_body(data_key, salt, label, bound, commitment, body):
    """What follows the head of a sealed object: chunks that open only in their place."""
    key, prefix, committed = (hkdf(data_key, salt, label + use + bound) for use in (b"key", b"nonce", b"commitment"))
    check(hmac.compare_digest(committed, commitment))
    chunks = [body[at : at + CHUNK + 16] for at in range(0, len(body), CHUNK + 16)]
    check(len(chunks) == 1 or len(chunks[-1]) > 16)
    nonces = (prefix[:7] + struct.pack(">IB", at, at + 1 == len(chunks)) for at in range(len(chunks)))
    return b"".join(AESGCM(key).decrypt(nonce, chunk, b"") for nonce, chunk in zip(nonces, chunks))
