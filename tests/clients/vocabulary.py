"""The demo model's tokens, read from its file: `logit_bias` and log-probabilities speak of them by number."""

import struct
from functools import cache

from serving import model_file

STRING, ARRAY = 8, 9
# Bytes of the scalar types of a GGUF file, by their number.
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class Reader:
    """Walks over a GGUF file's metadata."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def number(self, form: str) -> int:
        [value] = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        length = self.number("<Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind: int) -> list[str] | None:
        """Arrays of text; whatever else there is is passed over."""
        if kind == STRING:
            self.string()
        elif kind == ARRAY:
            kind, count = self.number("<I"), self.number("<Q")
            if kind == STRING:
                return [self.string() for _ in range(count)]
            self.at += SIZES[kind] * count
        else:
            self.at += SIZES[kind]
        return None


def letters() -> dict[str, int]:
    """Byte-level vocabularies write each byte as a letter: those that can be seen as themselves, others from 256 up."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + index): byte for index, byte in enumerate(hidden)}


@cache
def ids() -> dict[bytes, int]:
    """The number of each token, by its bytes."""
    reader = Reader(model_file().read_bytes()[: 8 << 20])
    assert reader.number("<I") == int.from_bytes(b"GGUF", "little")
    reader.number("<I")
    reader.number("<Q")
    for _ in range(reader.number("<Q")):
        name, kind = reader.string(), reader.number("<I")
        value = reader.value(kind)
        if name == "tokenizer.ggml.tokens":
            of = letters()
            return {bytes(of[letter] for letter in token): number for number, token in enumerate(value) if not token.startswith("<|")}
    raise AssertionError("the model has no tokens")


def token(text: str | bytes) -> str:
    """The number of the token of that text, as `logit_bias` names it."""
    return str(ids()[text.encode() if isinstance(text, str) else text])
