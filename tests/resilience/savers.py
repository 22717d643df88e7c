"""Programs that save without end, to be killed by tests. Each line on stdout tells of a save that is complete."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cnnpredict_gui.bench.history import BenchmarkHistory
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.infra.json_store import write_json
from cnnpredict_gui.infra.settings import Settings, write_settings
from cnnpredict_gui.infra.usage import UsageCounts
from cnnpredict_gui.studies.layers import conv_layer
from cnnpredict_gui.studies.own_presets import OwnPreset, write_preset_file
from tests.bench.test_history import make_outcome, make_run

#: Long enough for a save to take several writes.
PADDING = "x" * 60_000
SIZES = {"input_channels": 3, "input_height": 8, "input_width": 8, "output_channels": 4, "kernel_size": 3}


def save(folder: Path, number: int) -> None:
    """Save each kind of file with this number in it."""
    write_json(folder / "session.cnnpredict", {"number": number, "padding": PADDING, "end": number}, 2)
    write_settings(Settings(recent_files=(f"{number}", PADDING, f"{number}")), folder / "settings.json")
    counts = UsageCounts(folder / "usage.json")
    counts.count("models", [PADDING])
    counts.count("layers", ["saved"])
    counts.save()
    layers = [conv_layer(f"{number}", ConvConfig.parse(SIZES))] * 50
    write_preset_file(OwnPreset("mine", tuple(layers), f"{number}"), folder / "preset.json")
    BenchmarkHistory(folder / "history.sqlite").add(make_run(make_outcome(f"{number}"), make_outcome("b")))


def save_for_ever(folder: Path, number: int) -> None:
    """Save from a number on, until killed."""
    while True:
        save(folder, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1


def main() -> None:
    """With a number: save from it on. Without: for each number on stdin, fork a process that does, and tell of its end.

    Forks start in no time, as everything is imported already.
    """
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        save_for_ever(folder, int(sys.argv[2]))
    for line in iter(sys.stdin.readline, ""):
        process = os.fork()
        if process == 0:
            save_for_ever(folder, int(line))
        sys.stdout.write(f"started {process}\n")
        sys.stdout.flush()
        os.waitpid(process, 0)
        sys.stdout.write("gone\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
