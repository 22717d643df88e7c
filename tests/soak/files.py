"""Files for a walk: good, strange and broken ones of every kind the window opens."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fuzz.mutate import mutate_bytes, mutate_json
from tests.fuzz.readers import readers

_NAMES = ("table", "layers", "parquet", "preset", "session", "onnx")


def write_files(folder: Path, rng: random.Random, broken: int = 3) -> list[Path]:
    """Write the valid files of the fuzzing and some mutations of each; a longer table, too."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    known = readers()
    for name in _NAMES:
        seeds, ending = known[name].seeds, known[name].suffix
        made += [_write(folder / f"{name}-{number}{ending}", seed) for number, seed in enumerate(seeds)]
        for number in range(broken):
            seed, is_json = rng.choice(seeds), ending in (".json", ".cnnpredict")
            changed = mutate_json(seed, rng) if is_json else mutate_bytes(seed, rng, seeds)
            made.append(_write(folder / f"{name} broken {number}{ending}", changed))
    rows = [
        f"{1 + n % 4},{8 * (1 + n % 64)},{7 * (1 + n % 32)},{7 * (1 + n % 32)},{16 * (1 + n % 32)},{1 + 2 * (n % 4)},1"
        for n in range(3_000)
    ]
    header = "batch_size,input_channels,input_height,input_width,output_channels,kernel_size,stride"
    made.append(_write(folder / "long.csv", "\n".join([header, *rows]).encode()))
    return made


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
