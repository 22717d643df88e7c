"""Messages between the program and its tree workers: one line of JSON, then as many bytes as it says."""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np

from cnnpredict_gui.core.table import ConfigTable

_MAX_LINE = 1_000_000


def send(stream: IO[bytes], header: dict[str, Any], payload: bytes = b"") -> None:
    """Write one message and flush."""
    stream.write(json.dumps(header | {"bytes": len(payload)}).encode() + b"\n")
    if payload:
        stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read one message.

    Raises:
        EOFError: the other side is gone.
    """
    line = stream.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise EOFError
    header: dict[str, Any] = json.loads(line)
    payload = stream.read(header["bytes"]) if header["bytes"] else b""
    if len(payload) != header["bytes"]:
        raise EOFError
    return header, payload


def pack(table: ConfigTable) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a table."""
    columns = {name: np.ascontiguousarray(values, dtype=np.int64) for name, values in table.columns.items()}
    return {"columns": list(columns), "rows": len(table)}, b"".join(values.tobytes() for values in columns.values())


def unpack(header: dict[str, Any], payload: bytes) -> ConfigTable:
    """The table of :func:`pack`."""
    values = np.frombuffer(payload, dtype=np.int64).reshape(len(header["columns"]), header["rows"])
    return ConfigTable(dict(zip(header["columns"], values, strict=True)))
