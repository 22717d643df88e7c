"""Write the accuracy table of README.md from the model cards, so that it says what the models say.

``--check`` changes nothing and fails if the table is out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from cnnpredict_gui.core.card import Metrics, ModelCard
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.infra.files import atomic_text

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- accuracy: begin, written by tools/accuracy_table.py -->", "<!-- accuracy: end -->"
PROTOCOL = "grouped_by_shape"


def main() -> int:
    """Update or check the README; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if out of date")
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args()
    before = options.readme.read_text(encoding="utf-8")
    after = replaced(before, accuracy_table(read_cards(options.models)))
    if before == after:
        return 0
    if options.check:
        print("the accuracy table is out of date: run python tools/accuracy_table.py", file=sys.stderr)
        return 1
    atomic_text(options.readme, after)
    return 0


def read_cards(models: Path) -> list[ModelCard]:
    """All cards below a models folder."""
    return [ModelCard.model_validate_json(path.read_bytes()) for path in sorted(models.rglob("*.card.json"))]


def accuracy_table(cards: list[ModelCard]) -> str:
    """Markdown: a row per target, MAPE of each family, and of the best family the median, shares and coverage."""
    if not cards:
        return "No models are in `models/` yet."
    targets: dict[str, dict[str, Metrics]] = defaultdict(dict)
    about = {}
    for card in cards:
        if PROTOCOL in card.metrics:
            targets[card.target.name][card.family] = card.metrics[PROTOCOL]
            about[card.target.name] = card.target
    lines = [
        f"| target | kind of time | {' | '.join(FAMILIES.values())} | best: median | in 10 % | 90 % interval holds | layers |",
        "|---|---|" + "---:|" * (len(FAMILIES) + 4),
    ]
    for name, families in sorted(targets.items()):
        best = min(families.values(), key=lambda found: found.mape)
        cells = [_percent(families[family].mape) if family in families else "–" for family in FAMILIES]
        shares = [_percent(best.median_ape), _percent(best.within_10), _percent(best.coverage_90), f"{best.n:,}"]
        lines.append(f"| {about[name].title} (`{name}`) | `{about[name].time_kind}` | {' | '.join([*cells, *shares])} |")
    return "\n".join([*lines, *_group_lines(cards)])


def _group_lines(cards: list[ModelCard]) -> list[str]:
    """A second table: the default algorithm of each element type, where a target has several of either; best family."""
    targets: dict[str, list[ModelCard]] = defaultdict(list)
    for card in cards:
        if card.metrics_by_group:
            targets[card.target.name].append(card)
    lines = []
    for name, families in sorted(targets.items()):
        best = min(families, key=lambda card: card.metrics[PROTOCOL].mape)
        for group, found in best.metrics_by_group.items():
            if best.default_algorithm in group.split("/"):
                words = " ".join(group.split("/"))
                figures = [_percent(value) for value in (found.mape, found.median_ape, found.within_10, found.coverage_90)]
                lines.append(f"| `{name}` | {words} | {FAMILIES[best.family]} | {' | '.join(figures)} | {found.n:,} |")
    if not lines:
        return []
    head = "| target | algorithm | best family | MAPE | median | in 10 % | 90 % interval holds | layers |"
    note = "Targets with several algorithms, their default alone (`any`: the fastest that MIOpen lists):"
    return ["", note, "", head, "|---|---|---|" + "---:|" * 5, *lines]


def replaced(text: str, table: str) -> str:
    """The README with the table between its marks."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise SystemExit(f"README.md lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
