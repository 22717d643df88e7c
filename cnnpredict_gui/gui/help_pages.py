"""The bundled help: pages in Markdown, their titles, and a search over all of them. No widgets here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnpredict_gui.infra.paths import resources_dir

#: Page of each view (``view``) and page (``view.page``), for F1.
PAGE_OF_VIEW = {
    "compare": "reading-predictions",
    "sweep": "reading-predictions",
    "network": "networks",
    "batch": "batch-files",
    "machine": "this-machine",
    "machine.predictors": "benchmark",
    "machine.system": "system",
    "machine.measure": "measure-calibrate-train",
    "machine.calibrate": "measure-calibrate-train",
    "machine.train": "measure-calibrate-train",
    "models": "own-models",
    "log": "troubleshooting",
}
FIRST = "getting-started"


@dataclass(frozen=True)
class HelpPage:
    """One page: ``name`` is its file without number and suffix, ``text`` its Markdown."""

    name: str
    title: str
    text: str


def page_of(place: str) -> str:
    """Help on a view or on a page of one; without any of its own, a page has that of its view."""
    return PAGE_OF_VIEW.get(place) or PAGE_OF_VIEW.get(place.partition(".")[0], FIRST)


def help_pages(folder: Path | None = None) -> list[HelpPage]:
    """All pages in their order (their files begin with a number)."""
    pages = []
    for path in sorted((folder or resources_dir() / "help").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        title = next((line[2:].strip() for line in text.splitlines() if line.startswith("# ")), path.stem)
        pages.append(HelpPage(path.stem.partition("-")[2], title, text))
    return pages


def search_pages(pages: list[HelpPage], words: str) -> list[HelpPage]:
    """Pages that contain every word, those with all of them in the title first."""
    wanted = words.lower().split()
    found = [page for page in pages if all(word in f"{page.title} {page.text}".lower() for word in wanted)]
    return sorted(found, key=lambda page: not all(word in page.title.lower() for word in wanted))
