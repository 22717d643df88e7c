"""Python's cyclic garbage collection on the GUI thread's terms.

Left alone it runs in whichever thread allocates next: a pass over everything stalls the window, and in a worker it could
delete Qt objects of another thread.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_INTERVAL_MS = 1000
_THRESHOLDS = (700, 10, 10)


class GarbageCollector(QObject):
    """Switches automatic collection off and collects young generations from a timer."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._before = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.collect)
        self._timer.start(_INTERVAL_MS)

    def settle(self) -> None:
        """Count everything that is there now as permanent, so that later passes are short."""
        gc.freeze()

    def release(self) -> None:
        """Leave the collection to Python again, if it was before."""
        self._timer.stop()
        gc.unfreeze()
        if self._before:
            gc.enable()

    def collect(self) -> None:
        """Collect the oldest generation that is due."""
        counts = gc.get_count()
        for generation in (2, 1, 0):
            if counts[generation] > _THRESHOLDS[generation]:
                gc.collect(generation)
                return
