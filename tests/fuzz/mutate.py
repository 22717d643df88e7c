"""Mutations of valid files: bytes anywhere, and JSON by its structure."""

from __future__ import annotations

import json
import random
from typing import Any

#: What parsers stumble over, as bytes.
TOKENS: tuple[bytes, ...] = (
    *(b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n", b"\r\n", b"\t", b",", b";", b"|", b'"', b"'", b"\\"),
    *(b"{", b"}", b"[", b"]", b"[" * 5000, b'{"a":' * 3000, b":", b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"nan"),
    *(b"0", b"-1", b"1.5", b"1e309", b"-1e309", b"1e-400", b"9" * 400, b"-" + b"9" * 30, b"0x10", b"1_000", b"\xd9\xa1"),
    *(b"2147483648", b"4294967296", b"9223372036854775808", b"18446744073709551616", b"\\ud800", b"\xed\xa0\x80", b"PAR1"),
    *(b"=cmd|' /C calc'!A0", b"../../etc/passwd", b"\xf0\x9f\x92\xa5", b"__class__", b"A" * 70_000, b"\x80" * 12, b"PK"),
    b"\x08\x96\x01",
)
#: The same as JSON values.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 65_537, 2**31, 2**63, 2**64, 10**400, -(10**30), 0.5, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), float("-inf"), "", "0", "1", "abc", "\0", "\ud800", "é", "A" * 5000, [], {}, [[]], [None]),
    *({"": None}, {"format": 1}, [1, 2], [0.1, "x"], "compare", "fp32", "same", "2026-01-01T00:00:00Z", "*"),
)


def mutate_bytes(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """One to a few changes of bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(9)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and place < len(changed):
            changed[place] = rng.randrange(256)
        elif kind == 2:
            changed[place : place + rng.randrange(1, 64)] = b""
        elif kind == 3:
            changed[place:place] = rng.choice(TOKENS)
        elif kind == 4:
            changed[place : place + rng.randrange(1, 32)] = rng.choice(TOKENS)
        elif kind == 5:
            changed[place:place] = changed[rng.randrange(len(changed) + 1) :][: rng.randrange(1, 256)]
        elif kind == 6:
            del changed[place:]
        elif kind == 7:
            changed[place:] = rng.choice(others)[rng.randrange(len(data) + 1) :]
        else:
            changed[place:place] = rng.randbytes(rng.randrange(1, 24))
    return bytes(changed)


def mutate_json(data: bytes, rng: random.Random) -> bytes:
    """One to a few changes of a JSON document's structure; what is no JSON stays."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(rng.choice((1, 1, 2, 4))):
        document = _changed(document, rng)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _changed(node: Any, rng: random.Random) -> Any:
    """A copy with a change somewhere in it."""
    if isinstance(node, dict) and node and rng.random() < 0.9:
        key = rng.choice(list(node))
        kind = rng.randrange(8)
        if kind == 0:
            return {name: value for name, value in node.items() if name != key}
        if kind == 1:
            return node | {rng.choice(("extra", "format", "name", "kind", "", "A" * 300)): rng.choice(VALUES)}
        if kind == 2:
            return {(str(rng.choice(VALUES)) if name == key else name): value for name, value in node.items()}
        return node | {key: _changed(node[key], rng) if kind < 6 else rng.choice(VALUES)}
    if isinstance(node, list) and node and rng.random() < 0.9:
        place, kind = rng.randrange(len(node)), rng.randrange(6)
        if kind == 0:
            return node[:place] + node[place + 1 :]
        if kind == 1:
            return node[:place] + [node[place]] * rng.choice((2, 50)) + node[place:]
        return [_changed(item, rng) if number == place else item for number, item in enumerate(node)]
    if isinstance(node, int | float) and abs(node) < 1e300 and rng.random() < 0.5:
        return node * rng.choice((-1, 0, 2, 10, 1000)) + rng.choice((-1, 0, 1, 0.5))
    return rng.choice(VALUES)
