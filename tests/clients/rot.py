"""What becomes of files on a disk that loses power, or rots: a store is copied, spoilt in one way, and put back."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
DATABASE, LOG, ANCHOR = "moho.sqlite", "moho.sqlite-wal", "anchor"


def files_of(folder: Path) -> dict[str, Path]:
    """Every file by its name within the folder. What is not kept over a loss of power is none of it."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()}
    return {name: path for name, path in found.items() if not name.endswith("-shm")}


def is_segment(name: str) -> bool:
    return "objects/" in name


class Snapshot:
    """A folder as it was at one moment."""

    def __init__(self, folder: Path, copy: Path):
        self.folder, self.copy = folder, copy
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy, symlinks=True, ignore=shutil.ignore_patterns("*.sock", "bootstrap*"))

    def restore(self) -> None:
        """Everything is as it was."""
        for name, path in files_of(self.folder).items():
            if not (self.copy / name).exists():
                path.unlink()
        for name, path in files_of(self.copy).items():
            at = self.folder / name
            at.parent.mkdir(parents=True, exist_ok=True)
            if not at.exists() or at.read_bytes() != path.read_bytes():
                shutil.copy2(path, at)
        for shared in self.folder.rglob("*-shm"):
            shared.unlink()

    def changed(self) -> dict[str, bytes]:
        """The files that are not what they were, with what they were."""
        found = {}
        for name, path in files_of(self.folder).items():
            before = (self.copy / name).read_bytes() if (self.copy / name).exists() else b""
            if path.read_bytes() != before:
                found[name] = before
        return found


def torn(now: bytes, before: bytes, chance: random.Random) -> bytes:
    """What may be left of a file whose last writes were not waited for: each sector is the new one or the old one, and the length
    is either; what was never written is zero."""
    length = chance.choice([len(now), len(before), chance.randint(min(len(before), len(now)), len(now))])
    made = bytearray(now[:length].ljust(length, b"\0"))
    share = chance.random()
    for at in range(0, length, SECTOR):
        piece = slice(at, min(at + SECTOR, length))
        if now[piece] != before[piece] and chance.random() < share:
            made[piece] = before[piece].ljust(piece.stop - piece.start, b"\0")
    return bytes(made)


def lose_power(snapshot: Snapshot, chance: random.Random) -> str:
    """Takes back some of what was written since the snapshot, of which nothing was acknowledged, as a disk could that lost its power
    at one of the moments since; says at which.

    A segment is on the disk before the row that names it is written, and the row before its log is copied into the database. So
    either segments are torn, and nothing else was written; or the log of the database is; or all of it is there."""
    changed = snapshot.changed()
    for shared in snapshot.folder.rglob("*-shm"):
        shared.unlink()
    if any(name.endswith(DATABASE) for name in changed):
        return "nothing, as the log was copied into the database"
    segments = [name for name in changed if is_segment(name)]
    what = chance.choice(["segments", "log", "log", "nothing"])
    if what == "nothing" or not changed:
        return "nothing"
    for name, before in changed.items():
        path = snapshot.folder / name
        if what == "segments" and is_segment(name):
            spoil(path, torn(path.read_bytes(), before, chance), is_new=not before, chance=chance)
        elif is_segment(name):
            continue
        elif what == "log" and name.endswith(LOG):
            path.write_bytes(torn(path.read_bytes(), before, chance))
        else:
            # Written after what was lost.
            spoil(path, before, is_new=not before, chance=chance)
    return what if what == "log" or segments else "all of it"


def lose_the_anchor(snapshot: Snapshot, chance: random.Random) -> None:
    """The last root that was seen is written after each change, and nobody waits for it: any of its sectors may be an older one."""
    for name, before in snapshot.changed().items():
        path = snapshot.folder / name
        if path.name == ANCHOR:
            path.write_bytes(torn(path.read_bytes(), before, chance))


def spoil(path: Path, data: bytes, is_new: bool, chance: random.Random) -> None:
    """A new file may be lost with its name."""
    if is_new and chance.random() < 0.3:
        path.unlink()
    else:
        path.write_bytes(data)


@dataclass(frozen=True)
class Rot:
    """Bits of a file that are not what they were."""

    path: Path
    bits: tuple[int, ...]

    @classmethod
    def some(cls, path: Path, chance: random.Random) -> "Rot":
        size = path.stat().st_size * 8
        return cls(path, tuple({chance.randrange(size) for _ in range(chance.choice([1, 1, 8, 64]))}))

    def turn(self) -> None:
        """Flips them: doing it twice mends them."""
        with self.path.open("r+b", buffering=0) as file:
            for bit in self.bits:
                file.seek(bit // 8)
                byte = file.read(1)[0]
                file.seek(bit // 8)
                file.write(bytes([byte ^ (1 << bit % 8)]))


def cut(path: Path, chance: random.Random) -> None:
    """The end of a file is lost, or is zero."""
    data = path.read_bytes()
    kept = chance.randrange(len(data))
    path.write_bytes(data[:kept] + chance.choice([b"", b"\0" * (len(data) - kept)]))


def rotten(folder: Path, chance: random.Random) -> Iterator[Rot]:
    """Rot in files of chance, of each sort as often as of the others."""
    files = files_of(folder)
    segments = [path for name, path in files.items() if is_segment(name) and path.stat().st_size]
    others = [path for name, path in files.items() if not is_segment(name) and path.stat().st_size]
    # Most of what a store knows is in its database.
    others += [path for path in others if path.name == DATABASE] * 4
    while True:
        yield Rot.some(chance.choice(chance.choice([sort for sort in (segments, others) if sort])), chance)
