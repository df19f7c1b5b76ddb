"""What is in compressed streams, wherever in some bytes they begin: a compressed log or copy hides every word in it."""

import ctypes
import ctypes.util
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress

# A gzip member, a zlib stream of the usual window and any level, a frame of zstd.
BEGINNINGS = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]|[\x78\x68\x58\x48\x38][\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd")
# Of a stream, so much is looked at.
MOST = 64 << 20
# A stream of less is no stream, but chance: two bytes in 65,536 look like the beginning of one.
LEAST = 8


class Zstd:
    """The system's library, which Python has none of its own of yet. There may be none."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("zstd")
        self.library = ctypes.CDLL(name) if name else None
        for function in ("ZSTD_compress", "ZSTD_decompress", "ZSTD_compressBound", "ZSTD_findFrameCompressedSize"):
            if self.library:
                getattr(self.library, function).restype = ctypes.c_size_t

    def is_error(self, code: int) -> bool:
        return code > (1 << 63)

    def compress(self, data: bytes) -> bytes:
        made = ctypes.create_string_buffer(len(data) + 1024)
        size = self.library.ZSTD_compress(made, ctypes.c_size_t(len(made)), data, ctypes.c_size_t(len(data)), 3)
        assert not self.is_error(size)
        return made.raw[:size]

    def decompress(self, data: bytes) -> bytes:
        """The frame that these bytes begin with; nothing if they do not."""
        if self.library is None:
            return b""
        size = self.library.ZSTD_findFrameCompressedSize(data, ctypes.c_size_t(len(data)))
        if self.is_error(size):
            return b""
        room = ctypes.create_string_buffer(min(MOST, max(1 << 20, 100 * size)))
        made = self.library.ZSTD_decompress(room, ctypes.c_size_t(len(room)), data, ctypes.c_size_t(size))
        return b"" if self.is_error(made) else room.raw[:made]


ZSTD = Zstd()


def inflated(data: bytes, window: int) -> bytes:
    """As much of a stream as is there, though what follows may be none of it."""
    inflating, made, step = zlib.decompressobj(window), b"", 1 << 10
    for at in range(0, len(data), step):
        before = inflating.copy()
        try:
            made += inflating.decompress(data[at : at + step])
        except zlib.error:
            # Byte by byte to where it ends to be one.
            with suppress(zlib.error):
                for byte in data[at : at + step]:
                    made += before.decompress(bytes([byte]))
            break
        if inflating.eof or len(made) >= MOST:
            break
    return made


def streams(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each with its kind."""
    for found in BEGINNINGS.finditer(data):
        rest = memoryview(data)[found.start() :]
        if found[0].startswith(b"\x1f\x8b"):
            kind, made = "gzip", inflated(rest, 31)
        elif found[0].startswith(b"\x28\xb5"):
            kind, made = "zstd", ZSTD.decompress(bytes(rest[: 2 * MOST]))
        else:
            kind, made = "zlib", inflated(rest, 15)
        if len(made) >= LEAST:
            yield kind, made
