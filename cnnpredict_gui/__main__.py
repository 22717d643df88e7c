"""Start of the desktop application: ``python -m cnnpredict_gui`` and ``cnnpredict-gui``."""

from __future__ import annotations

import multiprocessing
import sys

from cnnpredict_gui.infra.children import run_requested_child


def main() -> int:
    """Run the desktop application; returns the exit code."""
    multiprocessing.freeze_support()
    if run_requested_child(sys.argv[1:]):
        return 0
    from cnnpredict_gui.gui.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
