"""``python -m cnnpredict_gui.cli``."""

from __future__ import annotations

import multiprocessing
import sys

from cnnpredict_gui.cli.main import main
from cnnpredict_gui.infra.children import run_requested_child

if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(0 if run_requested_child(sys.argv[1:]) else main())
