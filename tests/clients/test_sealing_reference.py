"""The sealed formats are those of docs/sealing.md: an implementation that is not ours opens every test vector, and none
that is altered, cut, lengthened, under another key or another context."""

import base64
import hmac
import json
import struct
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import sealing_reference as reference

BYTES = ("root", "id", "material", "record", "plaintext", "blob", "sealed", "head", "sealed_sha256")


def as_bytes(found):
    return {
        key: bytes.fromhex(value) if key in BYTES and isinstance(value, str) else value for key, value in found.items()
    }


FILE = Path(__file__).parents[2] / "crates/kms/testdata/vectors.json"
VECTORS = json.loads(FILE.read_text(), object_hook=as_bytes)
KEY = VECTORS["record"]["key_id"]
OTHER_KEY = "3f0c9d1e-5a77-4b1c-8e42-6d9b70a1c2f4"
MATERIALS = {material["id"]: material["material"] for material in VECTORS["materials"]}


def material(vector):
    return VECTORS["materials"][vector["material"]]["material"]


def each(kind):
    return [pytest.param(vector, id=vector["name"]) for vector in VECTORS[kind]]


def spoilt(sealed):
    """Every byte altered, every cut, and bytes added."""
    for at in range(len(sealed)):
        yield sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        yield sealed[:at]
    yield sealed + b"\0"
    yield sealed + sealed[-16:]


def other_contexts(context):
    yield {**context, "more": ""}
    for key in context:
        yield {name: value for name, value in context.items() if name != key}
        yield {**context, key: context[key] + "x"}
        yield {(name.swapcase() if name == key else name): value for name, value in context.items()}


@pytest.mark.parametrize("vector", each("blobs"))
def test_blobs_open_and_nothing_else_does(vector):
    blob, context = vector["blob"], vector["context"]
    assert reference.open_blob(blob, KEY, MATERIALS, context) == vector["plaintext"]
    for wrong in spoilt(blob):
        with pytest.raises(InvalidTag):
            reference.open_blob(wrong, KEY, MATERIALS, context)
    for wrong in other_contexts(context):
        if wrong != context:
            with pytest.raises(InvalidTag):
                reference.open_blob(blob, KEY, MATERIALS, wrong)
    with pytest.raises(InvalidTag):
        reference.open_blob(blob, OTHER_KEY, MATERIALS, context)
    swapped = dict(zip(MATERIALS, reversed(MATERIALS.values())))
    with pytest.raises(InvalidTag):
        reference.open_blob(blob, KEY, swapped, context)


@pytest.mark.parametrize("vector", each("objects"))
def test_objects_open_and_nothing_else_does(vector):
    sealed, context = vector["sealed"], vector["context"]
    assert reference.open_object(sealed, KEY, material(vector), context) == vector["plaintext"]
    for wrong in spoilt(sealed):
        with pytest.raises(InvalidTag):
            reference.open_object(wrong, KEY, material(vector), context)
    for wrong in other_contexts(context):
        if wrong != context:
            with pytest.raises(InvalidTag):
                reference.open_object(sealed, KEY, material(vector), wrong)
    with pytest.raises(InvalidTag):
        reference.open_object(sealed, OTHER_KEY, material(vector), context)
    with pytest.raises(InvalidTag):
        reference.open_object(sealed, KEY, bytes(32), context)


@pytest.mark.parametrize("vector", each("objects_2"))
def test_objects_of_version_2_open_and_nothing_else_does(vector):
    sealed, context = vector["sealed"], vector["context"]
    assert reference.open_object_2(sealed, KEY, MATERIALS, context) == vector["plaintext"]
    for wrong in spoilt(sealed):
        with pytest.raises(InvalidTag):
            reference.open_object_2(wrong, KEY, MATERIALS, context)
    for wrong in other_contexts(context):
        if wrong != context:
            with pytest.raises(InvalidTag):
                reference.open_object_2(sealed, KEY, MATERIALS, wrong)
    with pytest.raises(InvalidTag):
        reference.open_object_2(sealed, OTHER_KEY, MATERIALS, context)


def test_objects_under_one_data_key_have_no_part_in_common():
    one, two = VECTORS["objects_2"][:2]
    assert one["sealed"][:157] == two["sealed"][:157]
    spliced = one["sealed"][:221] + two["sealed"][221:]
    with pytest.raises(InvalidTag):
        reference.open_object_2(spliced, KEY, MATERIALS, one["context"])


def chunks(head, plaintext, vector):
    """The body of a long object, made anew from the data key in its head."""
    salt, wrapped = head[26:58], head[58:106]
    context = reference.context_digest(vector["context"])
    wrapping = AESGCM(reference.hkdf(material(vector), salt, b"moho/seal/1 wrap data key"))
    data_key = wrapping.decrypt(bytes(12), wrapped, head[:58] + context)
    derived = [reference.hkdf(data_key, salt, b"moho/seal/1 " + use + head[:106] + context) for use in (b"key", b"nonce")]
    parts = [plaintext[at : at + (1 << 20)] for at in range(0, len(plaintext), 1 << 20)]
    for number, part in enumerate(parts):
        nonce = derived[1][:7] + struct.pack(">IB", number, number + 1 == len(parts))
        yield AESGCM(derived[0]).encrypt(nonce, part, b"")


@pytest.mark.parametrize("vector", each("long_objects"))
def test_chunks_open_in_their_place_only(vector):
    length, head, context = vector["plaintext_length"], vector["head"], vector["context"]
    plaintext = (bytes(range(251)) * (length // 251 + 1))[:length]
    body = list(chunks(head, plaintext, vector))
    assert sha256(head + b"".join(body)).digest() == vector["sealed_sha256"]

    def opened(*chunks):
        return reference.open_object(head + b"".join(chunks), KEY, material(vector), context)

    assert opened(*body) == plaintext
    without_last, doubled = body[:-1], [body[0], *body]
    for wrong in (without_last, doubled, list(reversed(body)) if len(body) > 1 else [*body, body[0][:17]]):
        with pytest.raises(InvalidTag):
            opened(*wrong)


def test_a_record_is_authenticated_and_its_materials_unwrap():
    """docs/sealing.md describes records for information; this is what it says, in code."""
    root, record = VECTORS["root"], VECTORS["record"]["record"]

    def derived(label):
        return reference.hkdf(root, b"moho/root/1", label)

    assert record[0] == 1
    assert record[1:17] == derived(b"fingerprint")[:16]
    mac = hmac.digest(derived(b"key record"), KEY.encode() + record[49:], sha256)
    assert mac == record[17:49]
    opened = json.loads(record[49:])
    unwrapped = {}
    for found in opened["materials"]:
        name, wrapped = bytes.fromhex(found["id"]), base64.b64decode(found["wrapped"])
        assert wrapped[:16] == record[1:17]
        bound = b"moho/kms/2 material" + KEY.encode() + name + opened["spec"].encode()
        unwrapped[name] = AESGCM(derived(b"wrap key material")).decrypt(wrapped[16:28], wrapped[28:], bound)
    assert unwrapped == MATERIALS
    assert opened["key_id"] == KEY


def test_the_reference_is_short():
    source = Path(reference.__file__).read_text().splitlines()
    assert len(source) <= 60
