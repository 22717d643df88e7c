"""All models the program can find: which there are, which are loaded, and why others are not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Lock, RLock
from time import perf_counter
from typing import Literal

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.errors import CardError, ModelError, ModelFileError, UnknownNameError
from cnnpredict_gui.core.interval import IntervalBounds
from cnnpredict_gui.core.names import FAMILIES, Target, nearest
from cnnpredict_gui.infra.memory import give_memory_back
from cnnpredict_gui.infra.paths import bundled_models_dir, model_folders, user_models_dir
from cnnpredict_gui.infra.precedence import give_way
from cnnpredict_gui.serving.conversions import conversion_of, with_conversion
from cnnpredict_gui.serving.discovery import FoundModel, find_models, version_key
from cnnpredict_gui.serving.domain import TrainingDomain
from cnnpredict_gui.serving.engine import RUN_ROWS, TREE_RUN_ROWS, OnnxModel
from cnnpredict_gui.serving.models import ConsensusModel, TrainedModel
from cnnpredict_gui.serving.predictor import Predictor
from cnnpredict_gui.serving.verification import read_card, reason_of, verified_bytes

_WAITING = "a native file: it is imported once, then it can be used"
#: Models loaded at once; ONNX Runtime leaves the interpreter free meanwhile.
LOADING_THREADS = 2
logger = logging.getLogger(__name__)
Fingerprint = tuple[tuple[str, int, int], ...]
#: ``waiting``: a native file that can be imported (:mod:`cnnpredict_gui.importing`), which serving itself never does.
Status = Literal["found", "loaded", "failed", "waiting"]


@dataclass(frozen=True)
class ModelEntry:
    """One model that was found, whether it works or not. ``version`` is empty where neither folder nor card tells it."""

    name: str
    family: str
    target: Target | None
    version: str
    folder: Path
    path: Path
    card: ModelCard | None
    status: Status
    reason: str
    origin: Literal["bundled", "user", "imported"]
    load_ms: float = 0.0

    @property
    def full_name(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}" if self.version else self.name


@dataclass
class _Slot:
    """An entry with what the library keeps about it."""

    entry: ModelEntry
    fingerprint: Fingerprint
    lock: Lock
    found: FoundModel
    predictor: Predictor | None = None


class ModelLibrary:
    """Models of several folders. All methods may be called from any thread.

    Args:
        folders: Models folders in order of precedence; default: the bundled one and those in ``MODELS_DIR``. Of two models of
            one name and version the one in the later folder is used.
    """

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self._folders = list(folders) if folders is not None else model_folders()
        self._lock = RLock()
        self._slots: dict[Path, _Slot] = {}
        self._published: dict[str, Predictor] = {}
        self._scanned = False
        #: Folders that could not be searched, one line each.
        self.problems: list[str] = []

    @property
    def folders(self) -> list[Path]:
        """The folders searched."""
        return list(self._folders)

    @property
    def entries(self) -> list[ModelEntry]:
        """Every model found, sorted by target, family and version (newest first)."""
        with self._lock:
            return sorted((slot.entry for slot in self._slots.values()), key=_order)

    @property
    def predictors(self) -> dict[str, Predictor]:
        """Loaded predictors: of each name the newest version under the plain name, others as ``name@version``."""
        with self._lock:
            return dict(self._published)

    def scan(self) -> list[ModelEntry]:
        """Search the folders again and read the cards; what is loaded and unchanged stays so. Opens no weights."""
        slots: dict[Path, _Slot] = {}
        problems: list[str] = []
        for folder in self._folders:
            if folder == user_models_dir() and not folder.exists():
                continue  # made with the first model
            try:
                found = find_models(folder)
            except OSError as error:
                problems.append(f"{folder} cannot be searched for models: {error.strerror or error}")
                logger.warning("%s", problems[-1])
                continue
            for model in map(with_conversion, found):
                slots[model.path] = self._slot_of(model, "bundled" if folder == bundled_models_dir() else "user")
        _mark_replaced(list(slots.values()))
        _forget_stale_consensus(slots)
        with self._lock:
            self._slots, self.problems, self._scanned = slots, problems, True
            self._publish()
            return self.entries

    def waiting(self) -> list[FoundModel]:
        """Native files that nobody imported yet, though a card or mapping beside them says how."""
        with self._lock:
            return [slot.found for slot in self._slots.values() if slot.entry.status == "waiting"]

    def load(self, entry: ModelEntry) -> ModelEntry:
        """Verify and load one model; a consensus loads its families too.

        Never raises for a bad model: the entry returned then has status ``failed`` and the reason.
        """
        slot = self._loaded_slot(entry.path)
        if slot is None:
            return replace(entry, status="failed", reason="the model is no longer there (rescan the models)")
        return slot.entry

    def load_all(
        self,
        progress: Callable[[ModelEntry, int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[ModelEntry]:
        """Load everything found; ``progress(entry, done, total)`` is called after each model, from this thread.

        Scans first if that was not done yet. Ends early, without an error, once ``cancelled()`` is true.
        """
        entries = self._ready()
        blends = [entry for entry in entries if entry.family == "consensus"]
        with ThreadPoolExecutor(LOADING_THREADS, "load-models") as pool:
            jobs = [pool.submit(self._load_unless, entry, cancelled) for entry in entries if entry.family != "consensus"]
            loaded = (job.result() for job in as_completed(jobs))
            for done, entry in enumerate(chain(loaded, (self._load_unless(blend, cancelled) for blend in blends)), 1):
                if progress is not None and (cancelled is None or not cancelled()):
                    progress(entry, done, len(entries))
        give_memory_back()
        return self.entries

    def _load_unless(self, entry: ModelEntry, cancelled: Callable[[], bool] | None) -> ModelEntry:
        give_way()
        return entry if cancelled is not None and cancelled() else self.load(entry)

    def get(self, name: str) -> Predictor:
        """The predictor called ``name`` (its newest version that works) or ``name@version``, loaded if it was not.

        Raises:
            UnknownNameError: there is none of that name; the hint names the nearest.
            ModelFileError: it is there but cannot be loaded; the message says why.
        """
        entries = self._ready()
        matches = [entry for entry in entries if name in (entry.name, entry.full_name)]
        if not matches:
            known = list(dict.fromkeys([entry.name for entry in entries] + [entry.full_name for entry in entries]))
            raise UnknownNameError(f"there is no predictor {name!r}", nearest(name, known))
        for entry in matches:
            slot = self._loaded_slot(entry.path)
            if slot is not None and slot.predictor is not None:
                return slot.predictor
        raise ModelFileError(f"{name} cannot be loaded: {self.load(matches[0]).reason}")

    def for_target(self, target_name: str) -> list[Predictor]:
        """Newest predictors of a target that work, in the order of :data:`FAMILIES`, loaded if they were not.

        Args:
            target_name: The target's name (``gpul40s``) or its training folder (``prediction-training-gpul40s``).

        Raises:
            UnknownNameError: no model has this target.
        """
        entries = [entry for entry in self._ready() if entry.target is not None]
        wanted = [entry.name for entry in entries if entry.target and target_name in (entry.target.name, entry.folder.name)]
        if not wanted:
            known = sorted({entry.target.name for entry in entries if entry.target})
            raise UnknownNameError(f"there is no target {target_name!r}", nearest(target_name, known))
        found: list[Predictor] = []
        for name in dict.fromkeys(wanted):
            try:
                found.append(self.get(name))
            except ModelError:
                continue  # the entry tells why
        return sorted(found, key=lambda predictor: list(FAMILIES).index(predictor.family))

    def _ready(self) -> list[ModelEntry]:
        with self._lock:
            return self.entries if self._scanned else self.scan()

    def _loaded_slot(self, path: Path) -> _Slot | None:
        """The slot of a model after an attempt to load it; None if it is not there any more."""
        with self._lock:
            slot = self._slots.get(path)
        if slot is not None:
            with slot.lock:
                if slot.entry.status == "found":
                    self._load_slot(slot)
        return slot

    def _slot_of(self, model: FoundModel, origin: Literal["bundled", "user"]) -> _Slot:
        fingerprint = _fingerprint(model)
        with self._lock:
            old = self._slots.get(model.path)
        if old is not None and old.fingerprint == fingerprint and old.entry.status == "loaded":
            return old
        card, status, reason = _state_of(model)
        entry = ModelEntry(
            name=model.name,
            family=model.family,
            target=card.target if card else None,
            version=model.version or (card.version if card else ""),
            folder=model.folder,
            path=model.path,
            card=card,
            status=status,
            reason=reason,
            origin="imported" if card is not None and card.imported_from else origin,
        )
        if status == "failed" and (old is None or old.entry.reason != reason):
            _log_failure(entry)
        return _Slot(entry, fingerprint, Lock(), model)

    def _load_slot(self, slot: _Slot) -> None:
        begin = perf_counter()
        try:
            predictor = self._build(slot.entry)
        except Exception as error:  # a broken model must never stop the others
            slot.entry = replace(slot.entry, status="failed", reason=reason_of(error))
            _log_failure(slot.entry)
            return
        with self._lock:
            slot.predictor = predictor
            slot.entry = replace(slot.entry, status="loaded", load_ms=(perf_counter() - begin) * 1e3)
            self._publish()

    def _build(self, entry: ModelEntry) -> Predictor:
        if entry.card is None:
            raise CardError("no card was read", "rescan the models")
        model: TrainedModel | ConsensusModel
        if entry.family == "consensus":
            model = ConsensusModel(entry.card, self._parts(entry, entry.card))
        else:
            run_rows = TREE_RUN_ROWS if entry.family in ("xgb", "rf") else RUN_ROWS
            read = partial(verified_bytes, entry.path, entry.card)
            model = TrainedModel(entry.card, OnnxModel(read(), len(entry.card.features), run_rows, again=read))
        card, domain = entry.card, TrainingDomain(entry.card)
        bounds = IntervalBounds(card.interval) if card.interval else None
        return Predictor(entry.full_name, entry.version, entry.path, card, model, domain, bounds)

    def _parts(self, entry: ModelEntry, card: ModelCard) -> dict[str, TrainedModel]:
        """Loaded families of the consensus' own folder."""
        parts: dict[str, TrainedModel] = {}
        for family in card.weights:
            beside = [other for other in self.entries if other.folder == entry.folder and other.family == family]
            if not beside:
                raise ModelFileError(f"its family {family} is not in {entry.folder.name}", "copy the whole training folder")
            slot = self._loaded_slot(beside[0].path)
            if slot is None or slot.predictor is None:
                reason = slot.entry.reason if slot else "it is no longer there"
                raise ModelFileError(f"its family {family} failed: {reason}", "repair that model first")
            if isinstance(slot.predictor.model, TrainedModel):
                parts[family] = slot.predictor.model
        return parts

    def _publish(self) -> None:
        """Name the loaded predictors anew; the caller holds the lock."""
        published: dict[str, Predictor] = {}
        for entry in self.entries:
            slot = self._slots[entry.path]
            if entry.status == "loaded" and slot.predictor is not None:
                name = entry.full_name if entry.name in published else entry.name
                published[name] = slot.predictor = slot.predictor.named(name)
        self._published = published


def _order(entry: ModelEntry) -> tuple[object, ...]:
    numbers, release, rest = version_key(entry.version)
    families = list(FAMILIES)
    newest_first = tuple(-number for number in (*numbers, *[0] * (8 - len(numbers))))
    target = entry.target.name if entry.target else entry.folder.name.removeprefix("prediction-training-")
    return (target, families.index(entry.family), entry.name, newest_first, -release, rest, str(entry.path))


def _fingerprint(model: FoundModel) -> Fingerprint:
    """Paths, sizes and modification times of a model's files."""
    marks = []
    for path in (model.card, model.onnx, model.native):
        if path is not None:
            try:
                stat = path.stat()
            except OSError:
                continue
            marks.append((str(path), stat.st_size, stat.st_mtime_ns))
    return tuple(marks)


def _state_of(model: FoundModel) -> tuple[ModelCard | None, Status, str]:
    """The card, whether the model may be loaded, and the reason if not."""
    if model.card is None:
        return None, *_without_card(model)
    try:
        card = read_card(model.card, model.family)
    except CardError as error:
        return None, "failed", reason_of(error)
    if model.onnx is not None or model.family == "consensus":
        return card, "found", ""
    where = conversion_of(model)
    if where is None:
        return card, "failed", f"{model.stem}.onnx is missing (copy it beside its card)"
    return card, "failed" if where.failure else "waiting", where.failure or _WAITING


def _without_card(model: FoundModel) -> tuple[Status, str]:
    where = conversion_of(model)
    if where is not None:
        return "failed" if where.failure else "waiting", where.failure or _WAITING
    if model.onnx is not None:
        hint = "export model and card together, or import it"
        return "failed", f"there is no card {model.stem}.card.json beside it ({hint})"
    what = f"{model.native.name if model.native else model.stem} needs a feature mapping"
    return "failed", f"{what} (import it: File → Import model…, or cnnpredict import; or put a card beside it)"


def _mark_replaced(slots: list[_Slot]) -> None:
    """Of models with one name and version only the last found is used; the others say so."""
    last: dict[str, _Slot] = {}
    for slot in slots:
        if slot.entry.status in ("failed", "waiting"):
            continue
        other = last.get(slot.entry.full_name)
        if other is not None:
            reason = f"the same name and version is also in {slot.entry.folder}, which is used"
            other.entry, other.predictor = replace(other.entry, status="failed", reason=reason), None
        last[slot.entry.full_name] = slot


def _forget_stale_consensus(slots: dict[Path, _Slot]) -> None:
    """A loaded consensus must be built again when one of its families was changed."""
    changed = {slot.entry.folder for slot in slots.values() if slot.predictor is None and slot.entry.family != "consensus"}
    for path, slot in slots.items():
        if slot.entry.family == "consensus" and slot.predictor is not None and slot.entry.folder in changed:
            slots[path] = _Slot(replace(slot.entry, status="found"), slot.fingerprint, Lock(), slot.found)


def _log_failure(entry: ModelEntry) -> None:
    logger.warning("model %s failed: %s [%s]", entry.full_name, entry.reason, entry.path)
