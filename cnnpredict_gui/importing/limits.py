"""What a file of unknown origin may take: bytes, memory, seconds; and what the process that reads it may do."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnpredict_gui.core.errors import ModelFileError

MAX_FILE_BYTES = 1_000_000_000
#: Most bytes that a compressed file may inflate to: this many times its size, but a small file may always grow to the floor.
MAX_RATIO, FLOOR_BYTES = 100, 32_000_000
MAX_FEATURES = 10_000
#: Tree nodes and network weights; a served model stays below the 1 GB that the program loads.
MAX_NODES, MAX_WEIGHTS = 10_000_000, 100_000_000
#: Memory that reading and converting may take beyond what the libraries need, and the time for all of it.
MEMORY_BYTES, SECONDS = 4_000_000_000, 300.0
AGAIN = "get the file again from its source"
_SHOWN = 80
#: Events of the interpreter that reading a model has no business with.
_FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.fork", "subprocess.", "pty.", "socket.")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def shown_name(path: Path) -> str:
    """The file's name on one line, in characters that can be written anywhere, at most 80."""
    text = path.name.encode("utf-8", "replace").decode("utf-8", "replace")
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def check_file(path: Path) -> int:
    """Size in bytes of a file that may be read; looks at it without opening it, since a pipe would block.

    Raises:
        ModelFileError: it is missing, no plain file, empty or too large.
    """
    name = shown_name(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise ModelFileError(f"{name} does not exist", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(f"{name} cannot be read: {reason}", "check the path and its permissions") from None
    if stat.S_ISDIR(found.st_mode):
        raise ModelFileError(f"{name} is a folder", "give the model file inside it, or add the folder in the Models view")
    if not stat.S_ISREG(found.st_mode):
        raise ModelFileError(f"{name} is no plain file but a pipe, socket or device", "copy the model into a file")
    if found.st_size == 0:
        raise ModelFileError(f"{name} is empty", AGAIN)
    if found.st_size > MAX_FILE_BYTES:
        raise ModelFileError(f"{name} is larger than {MAX_FILE_BYTES // 1_000_000} MB", "cap the model's size")
    return found.st_size


def read_file(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Content of a plain file of at most ``limit`` bytes.

    Raises:
        ModelFileError: it cannot be read or is too large.
    """
    check_file(path)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):  # replaced since it was looked at
                raise ModelFileError(f"{shown_name(path)} is no plain file", "copy the model into a file")
            data = file.read(limit + 1)
    except OSError as error:
        raise ModelFileError(f"{shown_name(path)} cannot be read: {error.strerror or error}", "check its permissions") from None
    if len(data) > limit:
        raise ModelFileError(f"{shown_name(path)} is larger than {limit / 1e6:,.0f} MB", "cap the model's size")
    return data


def inflated_limit(size: int) -> int:
    """Most bytes that ``size`` compressed bytes may inflate to."""
    return min(MAX_FILE_BYTES, max(FLOOR_BYTES, MAX_RATIO * size))


def limit_memory(extra: int = MEMORY_BYTES) -> None:
    """Let this process take at most ``extra`` bytes more than it has now, where the system can hold it to that (Linux)."""
    if sys.platform != "linux":
        return  # elsewhere the parent watches
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + extra
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def guard(writable: Path) -> Callable[[], None]:
    """From now on this process starts nothing, connects to nothing and writes only below ``writable``.

    A second line of defence behind the allow-lists, by an audit hook. Returns what lifts it again.
    """
    allowed, active = os.path.realpath(writable), [True]
    sys.dont_write_bytecode = True  # Modules are imported while the guard is up, and Python would keep them compiled.

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not active[0]:
            return
        if event.startswith(_FORBIDDEN):
            raise ModelFileError(f"{event} is not allowed while a model is read", "do not use this file")
        if event == "open" and _writes(arguments) and not _is_below(arguments[0], allowed):
            raise ModelFileError("writing files is not allowed while a model is read", "do not use this file")

    sys.addaudithook(hook)
    return lambda: active.__setitem__(0, False)


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return by_mode or (isinstance(flags, int) and bool(flags & _WRITING))


def _is_below(path: object, folder: str) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return True  # a handle that was opened, and judged, before
    real = os.path.realpath(os.fsdecode(path))
    return real == os.devnull or Path(real).is_relative_to(folder)
