"""``python -m cnnpredict_gui.cli``."""

from __future__ import annotations

import multiprocessing
import sys

from cnnpredict_gui.cli.main import main

if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
