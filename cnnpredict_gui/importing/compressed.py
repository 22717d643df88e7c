"""The compressions of joblib, undone with a bound on what comes out."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.limits import AGAIN, inflated_limit

_LZMA_MEMORY = 256_000_000
_PIECE = 1_000_000


class _Decompressor(Protocol):
    eof: bool

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _lz4() -> _Decompressor:
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError:
        raise ModelFileError("it is compressed by lz4, which is not installed", 'save it with compress=("lzma", 6)') from None
    made: _Decompressor = LZ4FrameDecompressor()
    return made


#: First bytes to the name of the compression and what undoes it.
_KINDS: dict[bytes, tuple[str, Callable[[], Any]]] = {
    b"\x78": ("zlib", zlib.decompressobj),
    b"\x1f\x8b": ("gzip", lambda: zlib.decompressobj(wbits=31)),
    b"BZ": ("bz2", bz2.BZ2Decompressor),
    b"\x5d\x00": ("lzma", lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)),
    b"\xfd7zXZ": ("xz", lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)),
    b"\x04\x22\x4d\x18": ("lz4", _lz4),
}


def compression(data: bytes) -> str:
    """Name of the compression that the first bytes tell; empty if it is none of joblib's."""
    return next((name for magic, (name, _) in _KINDS.items() if data.startswith(magic)), "")


def inflated(data: bytes, name: str) -> bytes:
    """The content of ``data``, decompressed if it is compressed.

    Args:
        data: Content of a joblib or pickle file.
        name: The file's name, for messages.

    Raises:
        ModelFileError: it is damaged, cut off, compressed more than once or inflates to too much.
    """
    kind = compression(data)
    if not kind:
        return data
    make = next(make for known, make in _KINDS.values() if known == kind)
    limit = inflated_limit(len(data))
    content = _inflate(make(), data, limit, f"{name}, compressed by {kind},")
    if len(content) > limit:
        what = f"{len(data) / 1e6:.3g} MB inflate to more than {limit / 1e6:,.0f} MB"
        raise ModelFileError(f"{name} looks like a decompression bomb: {what}", "save the model uncompressed if it is sound")
    if compression(content):
        raise ModelFileError(f"{name} is compressed more than once", "decompress it, or save the model again with joblib")
    return content


def _inflate(machine: Any, data: bytes, limit: int, name: str) -> bytes:
    """At most a little more than ``limit`` bytes."""
    parts, total, rest = [], 0, data
    try:
        while not machine.eof and total <= limit:
            part = machine.decompress(rest, _PIECE)
            # zlib hands back what it did not take; the others keep it and want to be asked with nothing
            rest = getattr(machine, "unconsumed_tail", b"")
            if not part and not rest and not machine.eof:
                raise ModelFileError(f"{name} is cut off", AGAIN)
            parts.append(part)
            total += len(part)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{name} is damaged: {error}", AGAIN) from None
    return b"".join(parts)
