"""Imports a native model file: reads it in a child process, keeps graph and card, says how they differ. No heavy imports."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cnnpredict_gui import __version__
from cnnpredict_gui.bench.child import Message, run_in_child
from cnnpredict_gui.core.card import ModelCard, Provenance
from cnnpredict_gui.core.errors import CancelledByUserError, CnnPredictError, ModelError, ModelFileError, WorkerError
from cnnpredict_gui.core.names import LAYOUT, TRAINING_PREFIX, predictor_name
from cnnpredict_gui.importing.limits import AGAIN, MEMORY_BYTES, SECONDS, check_file, read_file, shown_name
from cnnpredict_gui.importing.mapping import LOG_OUTPUTS, FeatureMapping, make_mapping, read_features
from cnnpredict_gui.infra.files import atomic_text, atomic_write, sha256_of
from cnnpredict_gui.infra.paths import user_models_dir
from cnnpredict_gui.serving.conversions import conversion_of, keep_failure, source_of
from cnnpredict_gui.serving.discovery import CARD_SUFFIX, MAPPING_SUFFIX, FoundModel
from cnnpredict_gui.serving.verification import read_card

logger = logging.getLogger(__name__)
#: Stages of an import, in their order, as the progress counts them.
STAGES = ("loading libraries", "reading", "converting", "comparing", "keeping")
Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Imported:
    """What an import made: the card, the served file beside it, and how the converted model compares with the native one."""

    card: ModelCard
    onnx: Path
    kind: str
    difference: float
    rows: int
    times_ms: tuple[float, float, float]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"{self.kind}: differs from the native model by at most {self.difference:.1e} on {self.rows} sample layers"


def import_file(
    path: Path,
    mapping: FeatureMapping,
    out: Path | None = None,
    card: ModelCard | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Imported:
    """Import one file into a models folder, with a copy of the native file.

    Args:
        path: The native file.
        mapping: What it does not say itself.
        out: The models folder; default: the user's own.
        card: The card that came with it, if it has one: training ranges and interval are taken from there.
        progress: Called with stages done and stages in all.
        cancelled: Asked ten times a second.

    Raises:
        ModelError: the file or the mapping is refused, with the reason.
        WorkerError: reading took too long or too much memory, or the child process died.
        OutputError: the results cannot be written.
        CancelledByUserError: ``cancelled`` said so.
    """
    folder, stem, _ = LAYOUT[mapping.family]
    training = f"{TRAINING_PREFIX}{mapping.target.name}"
    if out is None:  # beside the bundled predictor of this target and family, not in its place
        training += f"-{_slug(path.stem)}"
        mapping = _titled(mapping, _slug(path.stem))
    place = (out or user_models_dir()) / training / folder
    with tempfile.TemporaryDirectory(prefix="cnnpredict-import-") as work:
        answer = _logged(path, lambda: _read(path, mapping, card, Path(work), progress, cancelled))
        native = place / f"{stem}{path.suffix.lower()}"
        files = {native.name: answer["sha256"]}
        if path.suffix.lower() != ".onnx":
            _copy(path, native, answer["sha256"])
        else:
            files.clear()
        name = predictor_name(mapping.family, training)
        return _kept(path, place, stem, files, name, mapping, card, answer, Path(work), progress)


def import_found(
    found: FoundModel,
    targets: Mapping[str, ModelCard],
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Imported:
    """Import a native file that lies in a models folder with a card or mapping beside it, into the cache.

    A failure is remembered with the file's content, so that it is not tried again at each start.

    Raises:
        As :func:`import_file`.
    """
    where, source = conversion_of(found), source_of(found)
    if source is None or where is None:
        raise ModelFileError(f"{found.stem} has no native file with a card or mapping beside it", "see the help on importing")
    native, described = source
    try:
        values, card = said_by(described, found.family)
        mapping = make_mapping(values, targets, described.name)
        with tempfile.TemporaryDirectory(prefix="cnnpredict-import-") as work:
            answer = _logged(native, lambda: _read(native, mapping, card, Path(work), progress, cancelled))
            return _kept(native, where.folder, found.stem, {}, found.name, mapping, card, answer, Path(work), progress)
    except CancelledByUserError:
        raise
    except CnnPredictError as error:
        keep_failure(where, error)
        raise


def said_by(described: Path, family: str = "") -> tuple[dict[str, Any], ModelCard | None]:
    """The fields of a mapping that a card or a mapping file beside a native file has, and the card if it is one.

    Args:
        described: The file.
        family: The family that the file's place tells; empty where it tells none.

    Raises:
        CardError: the file is wrong, or of another family.
    """
    values = read_features(described)
    if not described.name.endswith(CARD_SUFFIX):
        return values | ({"family": family} if family else {}), None
    card = read_card(described, family or str(values.get("family", "")))
    return fields_of(card), card


def description_beside(native: Path) -> Path | None:
    """The card or mapping file that belongs to a native file by its name."""
    stem = native.with_suffix("")
    beside = [stem.with_name(stem.name + suffix) for suffix in (CARD_SUFFIX, MAPPING_SUFFIX)]
    return next((path for path in beside if path.is_file()), None)


def fields_of(card: ModelCard) -> dict[str, Any]:
    """The fields of a mapping that a card has."""
    return {name: getattr(card, name) for name in FeatureMapping.model_fields if name in ModelCard.model_fields}


def _read(
    path: Path,
    mapping: FeatureMapping,
    card: ModelCard | None,
    work: Path,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> Message:
    """Have the child process read and convert the file; its answer, with the graph in ``work``."""
    check_file(path)
    _check_hash(path, card)
    watch = _Watch(cancelled)

    def on_message(message: Message) -> None:
        watch.process = message.get("pid", watch.process)
        if progress is not None and message.get("stage") in STAGES:
            progress(STAGES.index(message["stage"]), len(STAGES))

    request = {"path": str(path.absolute()), "folder": str(work), "mapping": mapping.model_dump(mode="json")}
    try:
        answer = run_in_child("cnnpredict_gui.importing.worker:convert", request, on_message, watch, SECONDS)
    except CancelledByUserError:
        if watch.too_much:
            raise WorkerError(
                f"{shown_name(path)} needs more than {MEMORY_BYTES / 1e9:.0f} GB", "train a smaller model"
            ) from None
        raise
    except WorkerError as error:
        text = f"reading {shown_name(path)} failed: {error.message}"
        raise WorkerError(text, "the file is damaged, hostile or too large: " + AGAIN) from None
    if "error" in answer:
        raise ModelFileError(answer["error"]["message"], answer["error"]["hint"])
    return answer


class _Watch:
    """Asked while the child works: whether the user cancelled, or the child takes too much memory (where no limit holds)."""

    def __init__(self, cancelled: Cancelled | None) -> None:
        self.cancelled, self.process, self.too_much = cancelled, 0, False

    def __call__(self) -> bool:
        if self.cancelled is not None and self.cancelled():
            return True
        if self.process:
            try:
                self.too_much = psutil.Process(self.process).memory_info().rss > MEMORY_BYTES + 1_000_000_000
            except psutil.Error:
                return False
        return self.too_much


def _check_hash(path: Path, card: ModelCard | None) -> None:
    expected = card.files.get(path.name) if card is not None else None
    if expected is not None and sha256_of(path) != expected.lower():
        raise ModelFileError(
            f"{shown_name(path)} is not the file its card describes (sha256 differs)", "copy both again from their source"
        )


def _titled(mapping: FeatureMapping, variant: str) -> FeatureMapping:
    """The same with the file's name in the title of the target, so that charts and tables tell the models apart."""
    target = mapping.target.model_copy(update={"title": f"{mapping.target.title} · {variant}"})
    return mapping.model_copy(update={"target": target})


def _slug(stem: str) -> str:
    """The file's name as part of a folder's; names that lose letters get a mark of their own."""
    text = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40]
    mark = "" if stem.isascii() and len(stem) <= 40 else hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    return "-".join(part for part in (text, mark) if part) or "model"


def _copy(path: Path, native: Path, sha256: str) -> None:
    if native.exists() and native.samefile(path):
        return
    content = read_file(path)
    with atomic_write(native) as temporary:
        temporary.write_bytes(content)
    if sha256_of(native) != sha256:
        raise ModelFileError(f"{shown_name(path)} changed while it was imported", "import it again")


def _kept(
    path: Path,
    place: Path,
    stem: str,
    files: dict[str, str],
    name: str,
    mapping: FeatureMapping,
    card: ModelCard | None,
    answer: Message,
    work: Path,
    progress: Progress | None,
) -> Imported:
    """Write graph and card; the card last, since it vouches for the rest."""
    if progress is not None:
        progress(STAGES.index("keeping"), len(STAGES))
    onnx = place / f"{stem}.onnx"
    with atomic_write(onnx) as temporary:
        temporary.write_bytes((work / "model.onnx").read_bytes())
    notes = _notes(path, answer, card)
    made = card or _new_card(mapping, answer)
    made = made.model_copy(
        update={
            "name": name,
            "target": mapping.target,
            "output": "log_ms" if mapping.output in LOG_OUTPUTS else "ms",
            "files": files | {onnx.name: sha256_of(onnx)},
            "notes": (*(card.notes if card else ()), *notes),
            "imported_from": f"{shown_name(path)}, sha256 {answer['sha256']}",
        }
    )
    logger.info("imported %s as %s: %s", shown_name(path), made.name, notes[0])
    atomic_text(place / f"{stem}{CARD_SUFFIX}", made.model_dump_json(indent=1) + "\n")
    if progress is not None:
        progress(len(STAGES), len(STAGES))
    comparison = answer["comparison"]
    times = (comparison["low_ms"], comparison["median_ms"], comparison["high_ms"])
    return Imported(made, onnx, answer["kind"], comparison["difference"], comparison["rows"], times, notes)


def _new_card(mapping: FeatureMapping, answer: Message) -> ModelCard:
    """A card without training ranges and without an interval: nobody knows them."""
    shared = ("target", "device", "features", "offset_feature", "default_algorithm", "algorithms", "dtypes", "directions")
    return ModelCard(
        name="",
        family=mapping.family,
        version=mapping.version,
        **{name: getattr(mapping, name) for name in shared},
        provenance=Provenance(source="not told by the imported file", licence="not told", rows=0, shapes=0),
        library_versions=answer["versions"] | {"cnnpredict-gui": __version__},
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _notes(path: Path, answer: Message, card: ModelCard | None) -> tuple[str, ...]:
    comparison, here = answer["comparison"], answer["here"]
    first = (
        f"imported from {shown_name(path)} ({answer['kind']}): on {comparison['rows']} sample layers times differ from the "
        f"native model by at most {comparison['difference']:.1e}"
    )
    versions = [
        f"saved by {library} {found}, checked with {here[library]}"
        for library, found in answer["versions"].items()
        if library in here and here[library] != found
    ]
    unsure = [] if card is None or path.name in card.files else [f"its card lists no sha256 of {shown_name(path)}"]
    return (first, *versions, *unsure, *answer["notes"])


def _logged(path: Path, work: Callable[[], Message]) -> Message:
    """Run ``work``; a refusal leaves a line in the log."""
    try:
        return work()
    except (ModelError, WorkerError) as error:
        logger.warning("import of %s refused: %s", shown_name(path), " ".join(str(error).split()))
        raise
