"""The canary: a marker that tenants say, how it could be written down, and every place where it may not be found.

Whoever looks gives the places, `Places`, and what must not be there; `found` says where it is all the same. That it would is
shown by `test_canary_finder.py`, with a leak of each kind.
"""

import base64
import os
import re
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from compressed import streams

# One for each process of a test run: what another one plants in folders that are everybody's is its own affair.
MARKER = f"Quokka7Xylophone9Marmalade{os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'):0>2}"
SQLITE = b"SQLite format 3\0"
# Of a long secret, so many bytes are looked for: nobody writes them by chance.
TELLING = 20
# Looked for whatever its letters' case.
ANY_CASE = "any case"
# What may be broken into lines, as encoders do and Rust's `{:#?}` does with lists: looked for with all white space left out.
BROKEN = re.compile("^(hexadecimal|HEXADECIMAL|decimal|base|0x)")
BREAKS = re.compile(rb"\\[nrt]|[ \t\r\n]+")


def spellings_of_bytes(secret: bytes) -> dict[str, bytes]:
    """Bytes as they could stand in a file, decimal as Rust shows a list among them."""
    decimal = [str(byte) for byte in secret]
    made = {
        "plain": secret,
        "backwards": secret[::-1],
        "hexadecimal": secret.hex().encode(),
        "HEXADECIMAL": secret.hex().upper().encode(),
        "hexadecimal, apart": secret.hex(" ").encode(),
        "hexadecimal with colons": secret.hex(":").encode(),
        "hexadecimal listed": ",".join(f"{byte:02x}" for byte in secret).encode(),
        "0x": ",".join(f"0x{byte:02x}" for byte in secret).encode(),
        "0x, HEXADECIMAL": ",".join(f"0x{byte:02X}" for byte in secret).encode(),
        "escaped bytes": "".join(f"\\x{byte:02x}" for byte in secret).encode(),
        "percent-encoded": "".join(f"%{byte:02X}" for byte in secret).encode(),
        "decimal": ",".join(decimal).encode(),
        "decimal, apart": ", ".join(decimal).encode(),
    }
    for shift in range(5):
        # As base64, of which there are fewer ways.
        whole = base64.b32encode(b"\0" * shift + secret)
        made[f"base32 at {shift}"] = whole[-(-8 * shift // 5) : -8]
        made[f"base32 at {shift}, small"] = made[f"base32 at {shift}"].lower()
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
        "UTF-16, big-endian": text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32-le"),
        "UTF-32, big-endian": text.encode("utf-32-be"),
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
    """What the kernel shows of a process besides its memory: how it was started, what it has mapped, what it has open."""
    folder = Path(f"/proc/{pid}")
    for name in ("environ", "cmdline", "comm", "maps", "status"):
        yield name, (folder / name).read_bytes()
    for task in (folder / "task").iterdir():
        yield f"thread {task.name}", (task / "comm").read_bytes()
    yield from open_files(pid)


def open_files(pid: int, *, named: bool = True) -> Iterator[tuple[str, bytes]]:
    """What it has open: names, and of files without a name, or that it can write to, the bytes, wherever they are."""
    folder = Path(f"/proc/{pid}")
    for file in (folder / "fd").iterdir():
        try:
            target = os.readlink(file)
            yield f"open file {file.name}", target.encode()
            flags = re.search(r"flags:\s*([0-7]+)", (folder / "fdinfo" / file.name).read_text())
            is_written = flags is not None and int(flags[1], 8) & (os.O_WRONLY | os.O_RDWR)
            if stat.S_ISREG(file.stat().st_mode) and ((named and is_written) or target.endswith(" (deleted)")):
                yield target, file.read_bytes()
        except FileNotFoundError:
            continue


def swapped(status: bytes) -> int:
    """Bytes of a process that the kernel has written to where it swaps, by its `/proc/PID/status`."""
    found = re.search(rb"^VmSwap:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


class Shared:
    """Folders that everybody has, such as /tmp: only what comes into them from now on counts. Those that Python and pytest make
    there are the tests' own, and looked into where they are a server's."""

    OURS = re.compile(r"^(pytest-of-.*|tmp[a-z0-9_]{8})$")

    def __init__(self, *folders: str):
        self.folders = [Path(folder) for folder in folders if Path(folder).is_dir()]
        self.before = set(self.entries())

    def entries(self) -> list[Path]:
        return [path for folder in self.folders for path in folder.iterdir() if not self.OURS.match(path.name)]

    def new(self) -> list[Path]:
        return [path for path in self.entries() if path not in self.before]


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
    # Folders that everybody has.
    shared: Shared | None = None

    def at_rest(self) -> Iterator[tuple[str, bytes]]:
        for path, data in whole_files(self.folders + (self.shared.new() if self.shared else [])):
            yield str(path), data

    def unnamed(self) -> Iterator[tuple[str, bytes]]:
        """What it has open at this moment that has no name."""
        if self.process is not None:
            yield from open_files(self.process(), named=False)

    def in_swap(self) -> list[str]:
        """Whether any of its memory is where nobody looks for words, but anybody with the disk may."""
        if self.process is None:
            return []
        size = swapped(Path(f"/proc/{self.process()}/status").read_bytes())
        return [f"{size} bytes of the process are in swap"] if size else []

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


def spelt_in(data: bytes, secrets: dict[str, bytes]) -> Iterator[str]:
    """How any of them stands in some bytes."""
    small, whole = data.lower(), BREAKS.sub(b"", data)
    for name, spelling in secrets.items():
        if spelling in (small if name == ANY_CASE else data) or (BROKEN.match(name) and spelling in whole):
            yield name


def found(places: Iterator[tuple[str, bytes]], secrets: dict[str, bytes]) -> list[str]:
    """Where any of them is, also in what is compressed."""
    complaints = []
    for where, data in places:
        complaints += [f"{name} is in {where}" for name in spelt_in(data, secrets)]
        for kind, stream in streams(data):
            complaints += [f"{name} is in {where}, {kind}" for name in spelt_in(stream, secrets)]
    return complaints


def assert_absent(folders: list[Path], secrets: dict[str, bytes]) -> int:
    """Looks into files; gives how many bytes were looked at."""
    everything = list(Places(folders).at_rest())
    assert found(iter(everything), secrets) == []
    return sum(len(data) for _, data in everything)
