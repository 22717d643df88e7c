"""What the C library keeps."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import threading
from pathlib import Path
from cnnpredict_gui.infra.memory import give_memory_back, limit_arenas
if {limited}:
    limit_arenas()
together = threading.Barrier(9)
def work():
    kept = [bytearray(100_000) for _ in range(20)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
together.wait()
for thread in threads: thread.join()
give_memory_back()
maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
print(sum(rights == "---p" and int(span.split("-")[1], 16) % 2**26 == 0 for span, rights, *_ in maps))
"""


def _heaps(limited: bool) -> int:
    """Heaps of arenas beyond the first: they end at multiples of 64 MiB."""
    command = [sys.executable, "-c", _PROGRAM.format(limited=limited)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="arenas are glibc's")
def test_threads_share_arenas() -> None:
    assert _heaps(limited=False) > 2 >= _heaps(limited=True)
