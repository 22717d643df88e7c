"""What this machine is called and made of."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil


@cache
def processor_name() -> str:
    """Name of the processor, as its maker calls it where the system tells."""
    if sys.platform == "linux":
        with suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
                if line.lower().startswith(("model name", "hardware")):
                    return " ".join(line.partition(":")[2].split())
    elif sys.platform == "darwin":
        return _command("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    return platform.processor() or platform.machine() or "unknown processor"


def _command(*words: str) -> str:
    import subprocess

    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(words, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    return ""


def machine_name() -> str:
    """One line to tell machines apart in a history: processor, cores, memory, system."""
    cores, memory = psutil.cpu_count() or 1, psutil.virtual_memory().total / 1e9
    return f"{processor_name()}, {cores} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}"
