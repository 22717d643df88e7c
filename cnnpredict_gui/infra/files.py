"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnpredict_gui.core.errors import OutputError

#: Files not yet whole begin with this; :func:`remove_leftovers` finds those of a killed process by it.
PART = ".part-"
_WINDOWS = os.name == "nt"
_LEFTOVER_SECONDS = 24 * 3600.0
#: On Windows a file that another program looks at cannot be replaced just then.
_ATTEMPTS, _PAUSE_S = 10, 0.05
_HINTS = {
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "your share of this disk is used up: remove something, or choose another disk",
    errno.EROFS: "this disk can only be read: choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "choose the name of a file in it",
    errno.EMFILE: "close some windows or programs and try again",
    errno.EIO: "the disk may be broken: choose another one",
    errno.EINVAL: "choose a name of plain letters and digits",
}


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends without an exception it becomes ``path``.

    The temporary file keeps the suffix of ``path``, for writers that choose a format by it. The folder of ``path`` is
    made if it is missing; of a symbolic link, the file it leads to is replaced. Content and name are on the disk when this
    returns (``fsync``). If the block raises, the temporary file is removed and ``path`` stays as it was.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    target = Path(path)
    try:
        temporary, place = _temporary_beside(target)
        try:
            yield temporary
            _flush_to_disk(temporary)
            _replace(temporary, place)
            _flush_folder(place.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except (OSError, UnicodeEncodeError) as error:
        raise output_error(target, error) from error


def atomic_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Write ``text`` as UTF-8 with the line ends it has, whole or not at all.

    What UTF-8 cannot hold (bytes of a file name in another encoding) is written as an escape such as ``\udcfc``, which JSON
    reads back.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_error(target: Path, error: Exception) -> OutputError:
    """What to tell the user when ``target`` cannot be written, in one line.

    Args:
        target: The file.
        error: What the system said (:class:`OSError`), or that the name has letters this system cannot write.
    """
    name = str(target).encode("utf-8", "backslashreplace").decode().replace("\0", "\\0").replace("\n", "\\n")
    if not isinstance(error, OSError):
        return OutputError(f"cannot write {name}: this system has no such letters in names", _HINTS[errno.EINVAL])
    hint = _HINTS.get(error.errno or 0, "choose a folder you may write to")
    return OutputError(f"cannot write {name}: {error.strerror or error}", hint)


def remove_leftovers(folder: Path) -> int:
    """Remove what processes that were killed while writing left in ``folder`` more than a day ago; returns how many."""
    removed = 0
    with suppress(OSError):
        for path in list(folder.glob(f"{PART}*")):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                    path.unlink()
                    removed += 1
    return removed


def _temporary_beside(target: Path) -> tuple[Path, Path]:
    """A new empty file, and the file it will replace."""
    if "\0" in str(target):
        raise OSError(errno.EINVAL, "a name cannot hold a zero byte")
    place = Path(os.path.realpath(target))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if place.is_symlink():
        raise OSError(errno.ELOOP, "leads round in a circle")
    if place.exists() and not place.is_file():
        raise OSError(errno.EPERM, "is no plain file")
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f"{PART}{secrets.token_hex(8)}{target.suffix[-40:]}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less what the user's mask forbids
    if place.exists() and not _WINDOWS:
        temporary.chmod(place.stat().st_mode & 0o777)
    return temporary, place


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Have the new name on the disk too; file systems that cannot do that keep their own promises."""
    if _WINDOWS:
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _replace(temporary: Path, place: Path) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            os.replace(temporary, place)
            return
        except PermissionError:
            if not _WINDOWS or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_S)
