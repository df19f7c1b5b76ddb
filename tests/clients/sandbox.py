"""Runs a command as a systemd unit's sandbox would, as far as that goes without systemd.

`python sandbox.py UNIT COMMAND…` reads the unit's own directives and asks the kernel for the same: the seccomp filter of
SystemCallFilter= (its sets as `systemd-analyze syscall-filter` lists them), RestrictAddressFamilies=, NoNewPrivileges=,
MemoryDenyWriteExecute= and UMask=. The user, the capabilities and the read-only file system come from `unshare` and
`setpriv` around it: see `wrapped`.
"""

import ctypes
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
KILL = 0x80000000
X86_64 = 0xC000003E
EPERM, EAFNOSUPPORT = 1, 97
LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE = 38, 22, 65
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


def directives(unit: Path) -> dict[str, list[str]]:
    """What the unit's [Service] section says: each key with all its values."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def syscalls_of(name: str) -> set[str]:
    """The calls in a set such as @system-service, sets within it resolved."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True)
    names = {line.strip() for line in listed.stdout.splitlines()[1:]}
    return set().union(*(syscalls_of(inner) for inner in names if inner and not inner.startswith("#")))


def allowed(filters: list[str]) -> set[str]:
    """The calls that SystemCallFilter= leaves: the first list decides what the others add to or take from."""
    assert not filters[0].startswith("~"), "the first list allows"
    calls: set[str] = set()
    for line in filters:
        named = set().union(*(syscalls_of(name) for name in line.lstrip("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def numbers() -> dict[str, int]:
    """The kernel's numbers of calls, from its headers (linux-libc-dev, which a C compiler needs)."""
    for header in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"):
        if Path(header).exists():
            return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", Path(header).read_text())}
    raise FileNotFoundError("no kernel headers: install linux-libc-dev")


def program(calls: set[str], families: list[str]) -> bytes:
    """The filter: the calls allowed, `socket` with these families only, everything else EPERM."""
    known = numbers()
    code: list[tuple[int, int, int, int]] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, X86_64),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        # Calls of the x32 ABI are not native.
        (JUMP_GREATER_EQUAL, 0, 1, 0x40000000),
        (RETURN, 0, 0, ERRNO | EPERM),
        (JUMP_EQUAL, 0, 2 + 2 * len(families), known["socket"]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        *[part for family in families for part in ((JUMP_EQUAL, 0, 1, FAMILIES[family]), (RETURN, 0, 0, ALLOW))],
        (RETURN, 0, 0, ERRNO | EAFNOSUPPORT),
    ]
    for name in sorted(calls & known.keys() - {"socket"}):
        code += [(JUMP_EQUAL, 0, 1, known[name]), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, ERRNO | EPERM))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def enter(unit: Path) -> None:
    """Asks the kernel for what the unit says. There is no way back."""
    said = directives(unit)
    os.umask(int(said["UMask"][0], 8))
    code = program(allowed(said["SystemCallFilter"]), said["RestrictAddressFamilies"][0].split())
    libc = ctypes.CDLL(None, use_errno=True)

    def prctl(option: int, *arguments: int, optional: bool = False) -> None:
        padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)][:4]
        if libc.prctl(option, *padded) != 0 and not optional:
            raise OSError(ctypes.get_errno(), f"prctl {option}")

    assert said["NoNewPrivileges"] == said["MemoryDenyWriteExecute"] == ["true"]
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    # Kernels before 6.3 do not have it.
    prctl(PR_SET_MDWE, 1, optional=True)
    buffer = ctypes.create_string_buffer(code)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer)))
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(header))


def wrapped(unit: Path, writable: Path, command: list[str], user: int | None) -> list[str]:
    """The command in the whole sandbox: as `user` without a capability, on a file system of which only `writable` is so."""
    inner = [sys.executable, __file__, str(unit), *command]
    if user is None:
        return inner
    powerless = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    script = 'mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec "$@"'
    return ["unshare", "--mount", "--", "sh", "-c", script, "sandbox", str(writable), *powerless, *inner]


def can_wrap() -> bool:
    """Whether this machine lets a test make mounts of its own."""
    if os.geteuid() != 0 or not all(shutil.which(tool) for tool in ("unshare", "setpriv", "mount")):
        return False
    tried = subprocess.run(["unshare", "--mount", "--", "mount", "--make-rprivate", "/"], capture_output=True, check=False)
    return tried.returncode == 0


if __name__ == "__main__":
    enter(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
