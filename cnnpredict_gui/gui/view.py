"""Base of the views in the tabs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PySide6.QtWidgets import QWidget

from cnnpredict_gui.gui.context import AppContext


class View(QWidget):
    """One tab. Made when it is first shown; reads and changes ``context.state`` and listens to its signals.

    Subclasses may override :meth:`save`, :meth:`restore`, :meth:`activated` and :meth:`open_file`. A page inside a view is a
    View as well; a view with pages overrides :meth:`page` and :meth:`show_page`.
    """

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.context = context

    def pieces(self) -> Iterator[None]:
        """Build what is left of a view that stands in the window already, a few milliseconds at a time."""
        yield from ()

    def activated(self) -> None:
        """Called whenever the view comes to the front; a view that was hidden brings itself up to date here."""

    def save(self) -> dict[str, Any]:
        """What the session should keep of this view, as JSON values."""
        return {}

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave; ignore what is missing or unknown."""

    def open_file(self, path: str) -> bool:
        """Open a file that was dropped or given on the command line; False when it is not of this view's kind."""
        return False

    def busy(self) -> bool:
        """Whether an answer is still to come; screenshots wait for it."""
        return False

    def page(self) -> str:
        """Name of the page in front; empty for a view without pages."""
        return ""

    def show_page(self, name: str) -> None:
        """Bring a page to the front."""
