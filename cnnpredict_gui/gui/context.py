"""What every view gets: the state, the services and a way to report errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.actions import Actions
from cnnpredict_gui.gui.disk import Disk
from cnnpredict_gui.gui.measurement_hub import MeasurementHub
from cnnpredict_gui.gui.models import ModelHub
from cnnpredict_gui.gui.preferences import Preferences
from cnnpredict_gui.gui.resource_monitor import ResourceMonitor
from cnnpredict_gui.gui.state import AppState
from cnnpredict_gui.gui.theme import ThemeManager
from cnnpredict_gui.gui.workers import LatestWins, TaskRunner


def _ignore(error: CnnPredictError) -> None:
    raise error


@dataclass
class AppContext:
    """The application's services, made once and handed to every widget.

    ``report`` shows an error to the user; ``say`` shows a short text in the status bar.
    """

    state: AppState
    theme: ThemeManager
    models: ModelHub
    predictions: LatestWins
    tasks: TaskRunner
    actions: Actions
    report: Callable[[CnnPredictError], None] = field(default=_ignore)
    say: Callable[[str], None] = field(default=lambda text: None)
    preferences: Preferences = field(default_factory=Preferences)
    disk: Disk = field(default_factory=Disk)
    monitor: ResourceMonitor = field(default_factory=ResourceMonitor)
    measurements: MeasurementHub = field(default_factory=MeasurementHub)
    #: Bring a view to the front by its name.
    show_view: Callable[[str], None] = field(default=lambda name: None)
    #: Open a file in a view, by the view's name and the file's path.
    open_in: Callable[[str, str], None] = field(default=lambda name, path: None)
    #: Show a page of the help by its name (empty: that of the view in front).
    show_help: Callable[[str], None] = field(default=lambda page: None)
    #: Import a native model file (empty: ask for one).
    import_model: Callable[[str], None] = field(default=lambda path: None)

    def shutdown(self) -> None:
        """Stop every thread and wait for it; forget the undo history."""
        self.models.shutdown()
        self.tasks.shutdown()
        self.disk.shutdown()
        self.predictions.shutdown()
        self.monitor.shutdown()
        # Python may free the commands before their stack, which then would delete them again.
        self.state.undo_stack.clear()
