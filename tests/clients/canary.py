"""The canary: a marker that tenants say, how it could be written down, and every place where it may not be found.

Whoever looks gives the places, `Places`, and what must not be there; `found` says where it is all the same. That it would is
shown by `test_canary_finder.py`, with a leak of each kind.
"""

import base64
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MARKER = "Quokka7Xylophone9Marmalade"
SQLITE = b"SQLite format 3\0"
# Of a long secret, so many bytes are looked for: nobody writes them by chance.
TELLING = 20
# Looked for whatever its letters' case.
ANY_CASE = "any case"


def spellings_of_bytes(secret: bytes) -> dict[str, bytes]:
    """Bytes as they could stand in a file, decimal as Rust shows a list among them."""
    decimal = [str(byte) for byte in secret]
    made = {
        "plain": secret,
        "backwards": secret[::-1],
        "hexadecimal": secret.hex().encode(),
        "HEXADECIMAL": secret.hex().upper().encode(),
        "hexadecimal, apart": secret.hex(" ").encode(),
        "decimal": ",".join(decimal).encode(),
        "decimal, apart": ", ".join(decimal).encode(),
    }
    for shift in range(3):
        # Base64 depends on where in its input the bytes begin: cut what their neighbours decide.
        whole = base64.b64encode(b"\0" * shift + secret)
        made[f"base64 at {shift}"] = whole[4 if shift else 0 : -4]
        made[f"base64 of URLs at {shift}"] = made[f"base64 at {shift}"].translate(bytes.maketrans(b"+/", b"-_"))
    return made


def spellings(text: str = MARKER) -> dict[str, bytes]:
    """The marker as it could stand in a file."""
    return spellings_of_bytes(text.encode()) | {
        ANY_CASE: text.lower().encode(),
        "UTF-16": text.encode("utf-16-le"),
        "UTF-32": text.encode("utf-32-le"),
        "escaped": "".join(f"\\u{ord(letter):04x}" for letter in text).encode(),
    }


def whole_files(folders: list[Path]) -> Iterator[tuple[Path, bytes]]:
    """Every file with its name and all its bytes. What goes meanwhile is gone."""
    for folder in folders:
        for path in [folder, *folder.rglob("*")] if folder.is_dir() else [folder]:
            yield path, path.name.encode()
            try:
                if path.is_file():
                    yield path, path.read_bytes()
            except FileNotFoundError:
                continue


def databases(folders: list[Path]) -> Iterator[Path]:
    for path, data in whole_files(folders):
        if data.startswith(SQLITE):
            yield path


def cells(database: Path) -> Iterator[tuple[str, bytes]]:
    """Every value of a database, as SQLite puts it together from its pages and its write-ahead log."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for suffix in ("", "-wal"):
            beside = database.with_name(database.name + suffix)
            if beside.exists():
                shutil.copy(beside, folder + "/copy" + suffix)
        opened = sqlite3.connect(copy)
        opened.text_factory = bytes
        tables = [name.decode() for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in opened.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    if isinstance(cell, bytes):
                        yield table, cell
        opened.close()


def of_process(pid: int) -> Iterator[tuple[str, bytes]]:
    """What the kernel shows of a process besides its memory: how it was started, what it has mapped, files without a name."""
    folder = Path(f"/proc/{pid}")
    for name in ("environ", "cmdline", "comm", "maps", "status"):
        yield name, (folder / name).read_bytes()
    for task in (folder / "task").iterdir():
        yield f"thread {task.name}", (task / "comm").read_bytes()
    for file in (folder / "fd").iterdir():
        try:
            target = os.readlink(file)
            yield f"open file {file.name}", target.encode()
            if target.endswith(" (deleted)") and stat.S_ISREG(file.stat().st_mode):
                yield target, file.read_bytes()
        except FileNotFoundError:
            continue


@dataclass
class Places:
    """Where words could come to rest, or by which they could get out."""

    # Files and folders: data, logs, temporary files, cores, backups.
    folders: list[Path] = field(default_factory=list)
    # Whose environment, arguments and open files are looked at.
    process: Callable[[], int] | None = None
    # Pages that an operator reads, such as metrics.
    pages: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    # What collectors of traces got.
    collectors: list = field(default_factory=list)
    # What was answered to those whose words they are not.
    replies: list[tuple[str, bytes]] = field(default_factory=list)

    def at_rest(self) -> Iterator[tuple[str, bytes]]:
        for path, data in whole_files(self.folders):
            yield str(path), data

    def in_databases(self) -> Iterator[tuple[str, bytes]]:
        """For when nobody writes to them."""
        for path in databases(self.folders):
            for table, cell in cells(path):
                yield f"{path}, table {table}", cell

    def going_out(self) -> Iterator[tuple[str, bytes]]:
        if self.process is not None:
            for name, data in of_process(self.process()):
                yield f"the process's {name}", data
        for name, page in self.pages.items():
            yield name, page()
        for collector in self.collectors:
            for body in list(collector.raw):
                yield "a trace", body
        yield from self.replies


def found(places: Iterator[tuple[str, bytes]], secrets: dict[str, bytes]) -> list[str]:
    """Where any of them is."""
    complaints = []
    for where, data in places:
        complaints += [f"{name} is in {where}" for name, spelling in secrets.items() if spelling in (data.lower() if name == ANY_CASE else data)]
    return complaints


def assert_absent(folders: list[Path], secrets: dict[str, bytes]) -> int:
    """Looks into files; gives how many bytes were looked at."""
    everything = list(Places(folders).at_rest())
    assert found(iter(everything), secrets) == []
    return sum(len(data) for _, data in everything)
