"""Which predictors to show at first, and the sets that the tree's commands choose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnpredict_gui.core.names import FAMILIES, PROCESSOR, TIME_KINDS, TRAINING_PREFIX, Target, most_like, predictor_name

if TYPE_CHECKING:
    from cnnpredict_gui.serving.library import ModelEntry

#: Targets shown first: the first with all its families, the next by their consensus; others follow.
FIRST_TARGETS = ("gpul40s", "gpuh100", "gpua100-cudnn", "gpumi300x-miopen", "gput4-cudnn", "cpu")
#: How many further targets are shown by their consensus at first.
OTHER_TARGETS = 5


@dataclass(frozen=True)
class Leaf:
    """One predictor as the tree shows it."""

    name: str
    family: str
    target: Target
    status: str
    reason: str

    @property
    def variant(self) -> str:
        """What tells it from the usual predictor of its target: its training folder, or the file it was imported from."""
        usual = predictor_name(self.family, f"{TRAINING_PREFIX}{self.target.name}")
        if self.name.startswith(usual):
            return self.name.removeprefix(usual).lstrip("-_")
        return self.name.removeprefix(f"{self.family}_").removeprefix(TRAINING_PREFIX)


def leaves(entries: Iterable[ModelEntry]) -> list[Leaf]:
    """Newest version of every predictor whose card is known, sorted by time kind, target and family."""
    found: dict[str, Leaf] = {}
    for entry in entries:
        if entry.target is None:
            continue
        old = found.get(entry.name)
        if old is None or (old.status == "failed" and entry.status != "failed"):
            found[entry.name] = Leaf(entry.name, entry.family, entry.target, entry.status, entry.reason)
    kinds, families = list(TIME_KINDS), list(FAMILIES)
    return sorted(
        found.values(),
        key=lambda leaf: (
            kinds.index(leaf.target.time_kind),
            leaf.target.title,
            leaf.target.name,
            families.index(leaf.family),
            leaf.name,
        ),
    )


def default_selection(shown: Sequence[Leaf], processor: str = "") -> list[str]:
    """All families of one well-known target, and the consensus (or the first family) of a few others.

    Of the processors it is the one most like ``processor``, this computer's.
    """
    usable = [leaf for leaf in shown if leaf.status != "failed"]
    targets = list(dict.fromkeys(leaf.target.name for leaf in usable))
    if not targets:
        return []
    mine = most_like((leaf.target for leaf in usable), processor)
    wanted = [mine if name == PROCESSOR else name for name in FIRST_TARGETS]
    first = next((name for name in wanted if name in targets), targets[0])
    chosen = [leaf.name for leaf in usable if leaf.target.name == first]
    known = [name for name in wanted if name in targets]
    others = dict.fromkeys([*known, *_spread(usable, targets)])
    for target in [name for name in others if name != first][:OTHER_TARGETS]:
        ours = [leaf for leaf in usable if leaf.target.name == target]
        best = next((leaf for leaf in ours if leaf.family == "consensus"), ours[0])
        chosen.append(best.name)
    return in_order(shown, chosen)


def default_focus(shown: Sequence[Leaf], names: Sequence[str]) -> str:
    """The chosen predictor to look at first: the consensus of the target with most families among the chosen."""
    chosen = [leaf for leaf in shown if leaf.name in set(names)]
    if not chosen:
        return ""
    counts = Counter(leaf.target.name for leaf in chosen)
    target = max(counts, key=lambda name: counts[name])
    mine = [leaf for leaf in chosen if leaf.target.name == target]
    return next((leaf for leaf in mine if leaf.family == "consensus"), mine[0]).name


def _spread(usable: Sequence[Leaf], targets: Sequence[str]) -> list[str]:
    """Targets taken in turn from each time kind, so that every kind is seen."""
    kind = {leaf.target.name: leaf.target.time_kind for leaf in usable}
    queues = [[name for name in targets if kind[name] == each] for each in TIME_KINDS]
    longest = max(len(queue) for queue in queues)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


def in_order(shown: Sequence[Leaf], names: Iterable[str]) -> list[str]:
    """These names in the order of the tree; unknown ones (models not there now) are kept at the end."""
    wanted = list(dict.fromkeys(names))
    known = [leaf.name for leaf in shown if leaf.name in set(wanted)]
    return known + [name for name in wanted if name not in set(known)]


def matches(leaf: Leaf, text: str) -> bool:
    """Whether every word of a search text occurs in the predictor's target, device, framework, family or name.

    A family's short name means that family: ``nn`` is no part of cuDNN.
    """
    target = leaf.target
    texts = (target.title, target.name, target.device, target.framework, target.time_kind, FAMILIES[leaf.family], leaf.name)
    hay = " ".join(texts).lower()
    words = text.lower().replace("_", " ").split()
    found = all(leaf.family == word if word in FAMILIES else word in hay for word in words)
    return found or ("_" in text and text.lower().strip() in hay)
