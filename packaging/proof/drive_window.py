"""Use a real window on a virtual screen as a person would: wait for it, export its chart by mouse and keyboard, close it.

Pictures of the screen are taken on the way. Runs beside the frozen program, with the build's interpreter, xdotool and DISPLAY.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TITLE = "cnnpredict"
#: Where the chart of the first view is, as fractions of the window.
CHART = (0.55, 0.32)


def xdotool(*arguments: str) -> str:
    """Output of an xdotool command; empty when it fails."""
    done = subprocess.run(["xdotool", *arguments], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Ask twice a second until it is true.

    Raises:
        SystemExit: it does not become true.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.5)
    raise SystemExit(f"{what} did not come within {seconds:.0f} s")


def picture(target: Path) -> None:
    """Write a picture of the whole screen, from a process of its own."""
    program = (
        "import sys; from PySide6.QtGui import QGuiApplication; app = QGuiApplication([]);"
        "sys.exit(not app.primaryScreen().grabWindow(0).save(sys.argv[1]))"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "xcb"}
    subprocess.run([sys.executable, "-c", program, str(target)], env=environment, check=True, timeout=60)


def geometry(window: str) -> dict[str, int]:
    """Place and size of a window: X, Y, WIDTH, HEIGHT."""
    lines = (line.split("=") for line in xdotool("getwindowgeometry", "--shell", window).splitlines())
    return {name: int(value) for name, value in lines}


def export_chart(window: str, target: str, pictures: Path) -> None:
    """Open the chart's menu with the right button, choose its fourth entry (SVG), type the name, press Enter."""
    place = geometry(window)
    x = place["X"] + round(CHART[0] * place["WIDTH"])
    y = place["Y"] + round(CHART[1] * place["HEIGHT"])
    xdotool("mousemove", str(x), str(y), "click", "3")
    time.sleep(1.5)
    picture(pictures / "menu.png")
    xdotool("key", "Down", "Down", "Down", "Down", "Return")
    wait_for(lambda: xdotool("search", "--onlyvisible", "--name", "^Export"), "the dialog to save", 20)
    time.sleep(1)
    xdotool("key", "ctrl+a")
    xdotool("type", "--delay", "20", target)
    picture(pictures / "save.png")
    xdotool("key", "Return")
    time.sleep(2)


def main() -> None:
    """Drive the window."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--export", required=True, help="file to export the chart to, as the program sees it")
    options = parser.parse_args()
    wait_for(lambda: xdotool("search", "--onlyvisible", "--name", TITLE), "the window")
    window = xdotool("search", "--onlyvisible", "--name", TITLE).split()[0]
    time.sleep(15)
    picture(options.pictures / "window.png")
    export_chart(window, options.export, options.pictures)
    picture(options.pictures / "exported.png")
    xdotool("windowfocus", window, "key", "ctrl+q")
    wait_for(lambda: not xdotool("search", "--onlyvisible", "--name", TITLE), "the end of the window", 30)


if __name__ == "__main__":
    main()
