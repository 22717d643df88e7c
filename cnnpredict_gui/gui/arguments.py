"""Command line of the desktop application."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from cnnpredict_gui import __version__

SCALES = (100, 125, 150, 175, 200)


@dataclass(frozen=True)
class Arguments:
    """What was asked for on the command line."""

    models_dir: tuple[Path, ...] = ()
    open: Path | None = None
    theme: str | None = None
    safe_mode: bool = False
    screenshot: Path | None = None
    view: str = "compare"
    scale: int | None = None
    size: tuple[int, int] = (1280, 800)
    smoke_test: bool = False

    @property
    def offscreen(self) -> bool:
        """Whether this run shows no window to anybody: a screenshot or a smoke test."""
        return self.smoke_test or self.screenshot is not None


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        return max(640, int(width)), max(480, int(height))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x800") from None


def parser() -> argparse.ArgumentParser:
    """The parser; its help is the documentation of the arguments."""
    made = argparse.ArgumentParser(prog="cnnpredict-gui", description="Predicts CNN layer times on many devices, offline.")
    made.add_argument(
        "--models-dir", metavar="FOLDER", action="append", type=Path, default=[], help="a further folder with models"
    )
    made.add_argument("file", metavar="FILE", nargs="?", type=Path, help="file to open: .cnnpredict, .onnx, .csv or .parquet")
    made.add_argument("--open", metavar="FILE", type=Path, help="the same")
    made.add_argument("--version", action="version", version=f"cnnpredict-gui {__version__}")
    made.add_argument("--theme", choices=("system", "light", "dark"), help="colours, for this run")
    made.add_argument(
        "--safe-mode", action="store_true", help="start with standard settings and bundled models only; nothing is remembered"
    )
    made.add_argument("--screenshot", metavar="FILE", type=Path, help="write a picture (.png) of a view and exit")
    made.add_argument(
        "--view", metavar="NAME", default="compare", help="view, or view.page, of --screenshot (default: compare)"
    )
    made.add_argument(
        "--scale", metavar="PERCENT", type=int, choices=SCALES, help="size of everything, for this run: 100 to 200"
    )
    made.add_argument(
        "--size", metavar="WxH", type=_size, default=(1280, 800), help="window size of --screenshot (default: 1280x800)"
    )
    made.add_argument("--smoke-test", action="store_true", help="load, predict, print one JSON object and exit")
    return made


def parse(argv: list[str]) -> Arguments:
    """Arguments of a command line without the program's name; exits with a usage text when it is wrong."""
    found = parser().parse_args(argv)
    opened: Path | None = found.open or found.file
    return Arguments(
        tuple(path.absolute() for path in found.models_dir),
        opened.absolute() if opened else None,
        found.theme,
        found.safe_mode,
        found.screenshot.absolute() if found.screenshot else None,
        found.view,
        found.scale,
        found.size,
        found.smoke_test,
    )
