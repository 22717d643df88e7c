"""The measurements of this machine as the window sees them: read once, kept as they arrive, shown beside predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.core.measurement import Measurement, Setting, same_layer, settings_of, usable

if TYPE_CHECKING:
    from cnnpredict_gui.gui.workers import Cancelled, LatestWins, Progress, TaskRunner

CHANNEL = "measurements"


class MeasurementHub(QObject):
    """All measurements, newest first, and the setting (device, threads, framework) whose times are shown."""

    #: Something was measured, forgotten or read, or another setting is shown.
    changed = Signal()
    #: CnnPredictError: the measurements could not be read or kept.
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.all: list[Measurement] = []
        self._setting: Setting | None = None
        self._by_layer: dict[ConvConfig, Measurement] = {}
        self._asked = False

    @property
    def setting(self) -> Setting | None:
        """The setting whose times are shown: the one chosen, else the newest."""
        known = settings_of(self.all)
        return self._setting if self._setting in known else known[0] if known else None

    @property
    def settings(self) -> list[Setting]:
        """All settings measured in, newest first."""
        return settings_of(self.all)

    @property
    def shown(self) -> list[Measurement]:
        """Measurements of the setting shown, newest first."""
        return list(self._by_layer.values())

    def find(self, config: ConvConfig) -> Measurement | None:
        """The measurement of a layer in the setting shown."""
        return self._by_layer.get(same_layer(config))

    def show_setting(self, setting: Setting) -> None:
        """Show the times of another setting."""
        if setting != self.setting:
            self._setting = setting
            self._tell()

    def load(self, predictions: LatestWins) -> None:
        """Read what was kept by earlier runs, in the background; only the first call does something."""
        if self._asked:
            return
        self._asked = True

        def work(_cancelled: Cancelled) -> list[Measurement]:
            from cnnpredict_gui.bench.measurements import MeasurementStore

            return MeasurementStore().all()

        predictions.submit(CHANNEL, work, self._loaded, self._failed)

    def _loaded(self, found: list[Measurement]) -> None:
        if found:
            fresh = {(same_layer(one.config), one.setting) for one in self.all}
            self.all += [one for one in found if (same_layer(one.config), one.setting) not in fresh]
            self._tell()

    def keep(self, measurements: Sequence[Measurement], tasks: TaskRunner) -> None:
        """Show new measurements at once and keep them in the background."""
        good = [one for one in measurements if usable(one)]
        if not good:
            return
        replaced = {(same_layer(one.config), one.setting) for one in good}
        self.all = good[::-1] + [one for one in self.all if (same_layer(one.config), one.setting) not in replaced]
        self._setting = good[-1].setting
        self._tell()

        def work(_progress: Progress, _cancelled: Cancelled) -> None:
            from cnnpredict_gui.bench.measurements import MeasurementStore

            MeasurementStore().keep(good)

        tasks.run("keeping the measurements", work).failed.connect(self._failed)

    def forget(self, measurements: Sequence[Measurement], tasks: TaskRunner) -> None:
        """Remove measurements for good."""
        gone = list(measurements)
        self.all = [one for one in self.all if one not in gone]
        self._tell()

        def work(_progress: Progress, _cancelled: Cancelled) -> None:
            from cnnpredict_gui.bench.measurements import MeasurementStore

            MeasurementStore().forget(gone)

        tasks.run("forgetting measurements", work).failed.connect(self._failed)

    def _tell(self) -> None:
        shown = self.setting
        mine = [one for one in self.all if one.setting == shown]
        self._by_layer = {same_layer(one.config): one for one in reversed(mine)}
        self._by_layer = dict(reversed(self._by_layer.items()))
        self.changed.emit()

    def _failed(self, error: CnnPredictError) -> None:
        self.failed.emit(error)
