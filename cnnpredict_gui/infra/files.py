"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnpredict_gui.core.errors import OutputError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends without an exception it becomes ``path``.

    The temporary file keeps the suffix of ``path``, for writers that choose a format by it. The folder of ``path`` is
    made if it is missing. If the block raises, the temporary file is removed and ``path`` stays as it was.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    target = Path(path)
    temporary = _temporary_beside(target)
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise _output_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def atomic_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 with the line ends it has, whole or not at all.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _temporary_beside(target: Path) -> Path:
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "is a folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem[:80]}-", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise _output_error(target, error) from error
    os.close(handle)
    _give_usual_permissions(Path(name), target)
    return Path(name)


def _give_usual_permissions(temporary: Path, target: Path) -> None:
    """Permissions of the file to be replaced, or those a plainly created file would get (mkstemp gives 0600)."""
    if os.name == "nt":
        return
    if target.exists():
        temporary.chmod(target.stat().st_mode & 0o777)
        return
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _output_error(target: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {target}: {error.strerror or error}", "choose a folder you may write to")
