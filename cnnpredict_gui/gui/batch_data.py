"""Files of configurations behind the Batch view: preview, run and saving. No Qt here.

Running and saving happen in a child process: in a thread they would hold Python's lock for up to 400 ms at a time (measured
with a million rows) and make the window stutter.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnpredict_gui.core.errors import DataFileError, OutputError
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.infra.files import atomic_write, output_error
from cnnpredict_gui.infra.paths import cache_dir

if TYPE_CHECKING:
    from cnnpredict_gui.studies.batch import BatchSummary
    from cnnpredict_gui.studies.tabular import TablePreview

Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]
_SAVED_ROWS = 8_192
_KEPT_SECONDS = 86_400


@dataclass(frozen=True)
class SampleRow:
    """One of the first rows; ``error`` says why it is no configuration, empty where it is one."""

    number: int
    cells: tuple[str, ...]
    error: str


@dataclass(frozen=True)
class Preview:
    """A file as far as it was looked at; ``problem`` says why it cannot be run, empty where it can."""

    table: TablePreview
    rows: tuple[SampleRow, ...]
    mapping: dict[str, str]
    suggested: dict[str, str]
    problem: str

    @property
    def wrong(self) -> int:
        """How many of the first rows are no configuration."""
        return sum(bool(row.error) for row in self.rows)

    @property
    def like_network(self) -> bool:
        """Whether the table can be read as the layers of one network: it names or counts its rows, not too many."""
        from cnnpredict_gui.studies.layers_csv import COUNT_COLUMN, MAX_LAYERS, NAME_COLUMN

        names = {column.strip().lower() for column in self.table.columns}
        can = not self.problem and not self.wrong and self.table.rows <= MAX_LAYERS
        return can and not self.mapping and bool(names & {NAME_COLUMN, COUNT_COLUMN})


def look(path: Path, mapping: Mapping[str, str] | None) -> Preview:
    """Look at a file; without a mapping (column to parameter, only where names differ) the suggested one is taken.

    Raises:
        DataFileError: the file cannot be read.
    """
    from cnnpredict_gui.studies.tabular import open_table, suggest_mapping

    table = open_table(path)
    suggested = suggest_mapping(table.columns)
    return check(table, suggested if mapping is None else dict(mapping), suggested)


def check(table: TablePreview, mapping: Mapping[str, str], suggested: Mapping[str, str]) -> Preview:
    """Try a mapping on the first rows."""
    from cnnpredict_gui.core.table import ConfigTable
    from cnnpredict_gui.studies.tabular import config_columns, find_mapping, read_table

    errors, problem = [""] * len(table.sample), ""
    try:
        found = find_mapping(table.columns, mapping)
        if table.sample:
            piece = next(read_table(table.path, len(table.sample)))
            errors = ConfigTable.from_columns(config_columns(piece, found))[2]
    except DataFileError as error:
        problem = str(error)
    rows = tuple(
        SampleRow(number, cells, error) for number, (cells, error) in enumerate(zip(table.sample, errors, strict=True), 1)
    )
    return Preview(table, rows, dict(mapping), dict(suggested), problem)


def run(
    path: Path,
    folders: Sequence[Path],
    names: Sequence[str],
    mapping: Mapping[str, str],
    progress: Progress,
    cancelled: Cancelled,
) -> BatchSummary:
    """Predict every row in a child process, into a Parquet file in a fresh folder; the summary's ``path`` names it.

    Args:
        path: The file of configurations.
        folders: Where the models lie.
        names: Predictors to ask.
        mapping: Column to parameter, where names differ.
        progress: Called with (rows done, rows in all).
        cancelled: Asked ten times a second; true kills the child process.

    Raises:
        OutputError: there is no place for the results.
        WorkerError: the child process could not read the file, write the results, or died.
        CancelledByUserError: ``cancelled`` said so; nothing is left behind.
    """
    from cnnpredict_gui.bench.child import run_in_child

    place = cache_dir() / "batch"
    try:
        place.mkdir(parents=True, exist_ok=True)
        _remove_old(place)
        folder = Path(tempfile.mkdtemp(dir=place))
    except OSError as error:
        raise output_error(place, error) from error
    out = folder / "results.parquet"
    request = {
        "path": str(path),
        "out": str(out),
        "folders": [str(one) for one in folders],
        "names": list(names),
        "mapping": dict(mapping),
    }
    try:
        found = run_in_child(f"{__name__}:serve_run", request, lambda m: progress(m["done"], m["total"]), cancelled)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _summary(found, out)


class Results:
    """The file that :func:`run` made last; removed when it is replaced or the view goes."""

    def __init__(self) -> None:
        self.path: Path | None = None

    def forget(self) -> None:
        """Remove the file and its folder."""
        if self.path is not None:
            shutil.rmtree(self.path.parent, ignore_errors=True)
        self.path = None


def _remove_old(place: Path) -> None:
    """Remove what a run of the program that ended badly has left behind."""
    for folder in list(place.iterdir()):
        with suppress(FileNotFoundError):  # another window may tidy up too
            if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def serve_run(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Body of :func:`run` in the child process."""
    from cnnpredict_gui.serving.library import ModelLibrary
    from cnnpredict_gui.studies.batch import run_batch

    library = ModelLibrary([Path(folder) for folder in request["folders"]])
    library.scan()
    predictors = [library.get(name) for name in request["names"]]
    summary = run_batch(Path(request["path"]), Path(request["out"]), predictors, request["mapping"], _sender(send))
    models = [
        {
            "name": one.name,
            "target": one.target.model_dump(),
            "counts": [one.in_range, one.extrapolating, one.refused],
            "total_ms": one.total_ms,
            "histogram": one.histogram.tolist(),
        }
        for one in summary.models
    ]
    errors = [[error.line, error.message] for error in summary.errors]
    counts = {"rows": summary.rows, "rows_in_error": summary.rows_in_error, "seconds": summary.seconds}
    return counts | {"errors": errors, "models": models}


def _summary(found: dict[str, Any], out: Path) -> BatchSummary:
    from cnnpredict_gui.studies.batch import BatchSummary, ModelSummary, RowError

    models = [
        ModelSummary(
            name=one["name"],
            target=Target(**one["target"]),
            in_range=one["counts"][0],
            extrapolating=one["counts"][1],
            refused=one["counts"][2],
            total_ms=one["total_ms"],
            histogram=np.array(one["histogram"], dtype=np.int64),
        )
        for one in found["models"]
    ]
    errors = [RowError(line, message) for line, message in found["errors"]]
    return BatchSummary(out, found["rows"], found["rows_in_error"], errors, models, found["seconds"])


def save(results: Path, out: Path, separator: str, progress: Progress, cancelled: Cancelled) -> Path:
    """Write the results of :func:`run` as CSV or Parquet, in a child process; ``out`` appears whole or not at all.

    Raises:
        OutputError: the name has another ending, or the results are gone.
        WorkerError: the file cannot be written.
        CancelledByUserError: ``cancelled`` said so; there is no file then.
    """
    from cnnpredict_gui.bench.child import run_in_child
    from cnnpredict_gui.studies.table_output import check_output_name

    check_output_name(out)
    if not results.is_file():
        raise OutputError("the results are gone from the cache folder", "run the prediction again")
    converted = results.with_name(f"converted{out.suffix.lower()}")
    if out.suffix.lower() == ".parquet":
        converted = results
    else:
        request = {"results": str(results), "out": str(converted), "separator": separator}
        run_in_child(f"{__name__}:serve_save", request, lambda m: progress(m["done"], m["total"]), cancelled)
    with atomic_write(out) as part:
        shutil.copyfile(converted, part)
    if converted is not results:
        converted.unlink(missing_ok=True)
    return out


def serve_save(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Body of :func:`save` in the child process: Parquet to CSV."""
    import pyarrow.parquet as pq

    from cnnpredict_gui.studies.table_output import table_writer

    done, progress = 0, _sender(send)
    with pq.ParquetFile(request["results"]) as source, table_writer(Path(request["out"]), request["separator"]) as writer:
        for batch in source.iter_batches(_SAVED_ROWS):
            writer.write(dict(zip(batch.schema.names, batch.columns, strict=True)))
            done += len(batch)
            progress(done, source.metadata.num_rows)
    return {"rows": done}


def _sender(send: Callable[[dict[str, Any]], None]) -> Progress:
    return lambda done, total: send({"done": done, "total": total})
