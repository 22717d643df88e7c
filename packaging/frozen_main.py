"""Start of both frozen programs: which one it is says the name of the file that was started.

Child processes are recognised before anything else is imported, so that they are quick and have no Qt in them.
"""

from multiprocessing import freeze_support

freeze_support()

import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402


def forget_own_libraries() -> None:
    """Give programs that are started from here (a browser, a file manager) the system's libraries, not ours (Linux)."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if before:
        os.environ["LD_LIBRARY_PATH"] = before
    else:
        os.environ.pop("LD_LIBRARY_PATH", None)


def start() -> int:
    """Run the window or the command line; returns the exit code."""
    forget_own_libraries()
    if Path(sys.executable).stem.endswith("-gui"):
        from cnnpredict_gui.__main__ import main as window

        return window()
    from cnnpredict_gui.cli.main import main as command_line

    return command_line()


sys.exit(start())
