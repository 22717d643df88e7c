"""What was used how often, counted on this computer only: nothing is ever sent anywhere, and it can be cleared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cnnpredict_gui.infra.json_store import Step, read_json, write_json
from cnnpredict_gui.infra.paths import data_dir

#: Number of the format, and what leads to it from format 1; append only.
FORMAT, STEPS = 1, tuple[Step, ...]()
FILE_NAME = "usage.json"
#: What is counted.
KINDS = ("models", "layers", "networks")
#: At most this many names of a kind are kept; the rarest are forgotten.
KEPT = 500


class UsageCounts:
    """Counts per kind and name, kept in a file.

    Args:
        path: The file; default: in the user's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or data_dir() / FILE_NAME
        data, self.problem = read_json(self._path, FORMAT, STEPS)
        self.counts: dict[str, Counter[str]] = {kind: Counter(_counts(data.get(kind))) for kind in KINDS}
        since = data.get("since")
        self.since = since if isinstance(since, str) else _today()
        self._changed = False

    def count(self, kind: str, names: Iterable[str]) -> None:
        """Count one use of each of these names."""
        self.counts[kind].update(name for name in names if name)
        self._changed = True
        if len(self.counts[kind]) > 2 * KEPT:
            self.counts[kind] = Counter(dict(self.counts[kind].most_common(KEPT)))

    def most_used(self, kind: str) -> list[tuple[str, int]]:
        """Names and counts, most used first."""
        return self.counts[kind].most_common(KEPT)

    def clear(self) -> None:
        """Forget everything, also in the file.

        Raises:
            OutputError: the file cannot be written.
        """
        self.counts = {kind: Counter() for kind in KINDS}
        self.since = _today()
        self._changed = True
        self.save()

    def save(self) -> None:
        """Write the file if something was counted since.

        Raises:
            OutputError: the file cannot be written.
        """
        if self._changed:
            write_json(self._path, {"since": self.since} | {kind: dict(self.most_used(kind)) for kind in KINDS}, FORMAT)
            self._changed = False


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _counts(data: Any) -> dict[str, int]:
    if not isinstance(data, dict):
        return {}
    return {str(name): count for name, count in data.items() if type(count) is int and count > 0}
