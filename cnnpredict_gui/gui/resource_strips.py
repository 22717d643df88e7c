"""Which charts the machine's resources need: those of what it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnpredict_gui.gui.strip_chart import Line, Strip

if TYPE_CHECKING:
    from cnnpredict_gui.bench.resources import Sample

#: Of machines with more cores than this only their mean is drawn.
MOST_CORES = 32
_GPU_STRIPS = (
    ("GPU load", "%", "load_percent", 1.0, 100.0, 1.0),
    ("GPU memory", "GB", "memory_used_mb", 1e-3, 0.0, 1.0),
    ("GPU power", "W", "power_w", 1.0, 0.0, 10.0),
    ("GPU clock", "MHz", "clock_mhz", 1.0, 0.0, 100.0),
    ("GPU memory clock", "MHz", "memory_clock_mhz", 1.0, 0.0, 100.0),
)


def strips(sample: Sample) -> list[Strip]:
    """Charts for a machine like that of the sample."""
    cores = len(sample.cores_percent)
    each = tuple(Line(f"core.{number}", f"core {number}", -1) for number in range(cores)) if cores <= MOST_CORES else ()
    own = Line("own_cpu_percent", "this program", 1, 1 / max(cores, 1))
    found = [
        Strip("Processor", "%", (Line("cpu_percent", "all cores", 0), own, *each), 100.0),
        Strip(
            "Memory",
            "GB",
            (Line("memory_used_mb", "all programs", 0, 1e-3), Line("own_mb", "this program", 1, 1e-3)),
            sample.memory_total_mb / 1e3,
        ),
        Strip("Disks", "MB/s", (Line("disk_read", "read", 0), Line("disk_write", "written", 1)), least=1.0),
        Strip("Network", "MB/s", (Line("net_received", "received", 0), Line("net_sent", "sent", 1)), least=0.1),
        Strip("Clock", "GHz", (Line("clock_mhz", "mean of the cores", 0, 1e-3),), least=1.0),
        Strip("Waiting or running", "processes", (Line("load_1m", "mean of a minute", 0),), least=float(max(cores, 1))),
    ]
    sensors = [(f"temperature.{name}", name) for name in sample.temperatures]
    sensors += [(f"gpu.{number}.temperature_c", gpu.name) for number, gpu in enumerate(sample.gpus)]
    if sensors:
        found.append(Strip("Temperature", "°C", tuple(Line(c, text, i) for i, (c, text) in enumerate(sensors)), 0.0, 50.0))
    if sample.gpus:
        found += [_gpu_strip(sample, *about) for about in _GPU_STRIPS]
    return found


def _gpu_strip(sample: Sample, title: str, unit: str, field: str, scale: float, top: float, least: float) -> Strip:
    lines = tuple(Line(f"gpu.{number}.{field}", gpu.name, number, scale) for number, gpu in enumerate(sample.gpus))
    if field == "memory_used_mb":
        top = max(gpu.memory_total_mb for gpu in sample.gpus) / 1e3
    return Strip(title, unit, lines, top, least)
