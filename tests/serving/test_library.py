"""The library: loading, versions, rescans, and broken models that stop nobody."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnpredict_gui.core.card import Range
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ModelFileError, UnknownNameError, WorkerError
from cnnpredict_gui.core.names import LAYOUT
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.infra.paths import user_models_dir
from cnnpredict_gui.serving.conversions import conversion_of, keep_failure
from cnnpredict_gui.serving.library import ModelEntry, ModelLibrary
from tests.artefacts import FEATURES, linear_model, write_model, write_training_folder

LAYER = ConvConfig.parse({"input_channels": 64, "input_height": 56, "input_width": 56, "output_channels": 64, "kernel_size": 3})
XGB = "xgb_prediction-training-cpu"


def loaded(folder: Path) -> ModelLibrary:
    library = ModelLibrary([folder])
    library.load_all()
    return library


def only(library: ModelLibrary, family: str) -> ModelEntry:
    (entry,) = [entry for entry in library.entries if entry.family == family]
    return entry


def place(folder: Path, family: str, target: str = "cpu") -> tuple[Path, Path]:
    subfolder, stem, _ = LAYOUT[family]
    base = folder / f"prediction-training-{target}" / subfolder
    return base / f"{stem}.onnx", base / f"{stem}.card.json"


def change_card(folder: Path, family: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = place(folder, family)[1]
    card = json.loads(path.read_text("utf-8"))
    change(card)
    path.write_text(json.dumps(card), "utf-8")


def test_all_models_load_and_predict(models_folder: Path) -> None:
    library = loaded(models_folder)
    assert [entry.status for entry in library.entries] == ["loaded"] * 15
    assert all(entry.load_ms > 0 for entry in library.entries)
    assert len(library.predictors) == 15
    for name, predictor in library.predictors.items():
        assert predictor.name == name
        assert predictor.predict_one(LAYER).time_ms > 0


def test_scan_opens_no_weights(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu")
    place(tmp_path, "xgb")[0].write_bytes(b"not a model")
    library = ModelLibrary([tmp_path])
    assert {entry.status for entry in library.scan()} == {"found"}
    assert library.predictors == {}


def truncate(folder: Path) -> None:
    onnx, _ = place(folder, "xgb")
    onnx.write_bytes(onnx.read_bytes()[:-40])


def flip_one_bit(folder: Path) -> None:
    onnx, _ = place(folder, "xgb")
    data = bytearray(onnx.read_bytes())
    data[len(data) // 2] ^= 1
    onnx.write_bytes(data)


def vouch_for_garbage(folder: Path) -> None:
    onnx, _ = place(folder, "xgb")
    onnx.write_bytes(b"no model at all")
    digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
    change_card(folder, "xgb", lambda card: card["files"].update({onnx.name: digest}))


def vouch_for_other_width(folder: Path) -> None:
    onnx, _ = place(folder, "xgb")
    onnx.write_bytes(linear_model(FEATURES[:4]).SerializeToString())
    digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
    change_card(folder, "xgb", lambda card: card["files"].update({onnx.name: digest}))


def lose_model(folder: Path) -> None:
    onnx, _ = place(folder, "xgb")
    onnx.unlink()
    onnx.with_suffix(".joblib").unlink()


def set_field(name: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: change_card(folder, "xgb", lambda card: card.update({name: value}))


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (truncate, "sha256 differs"),
    "tampered": (flip_one_bit, "sha256 differs"),
    "not a model": (vouch_for_garbage, "ONNX Runtime cannot load it"),
    "other width": (vouch_for_other_width, "takes 4 features but its card names 6"),
    "no hash": (set_field("files", {}), "lists no sha256"),
    "onnx missing": (lose_model, "best_xgb_model.onnx is missing"),
    "card missing": (lambda folder: place(folder, "xgb")[1].unlink(), "no card best_xgb_model.card.json"),
    "card is no JSON": (lambda folder: place(folder, "xgb")[1].write_text("{"), "not valid JSON"),
    "card is not UTF-8": (lambda folder: place(folder, "xgb")[1].write_bytes(b"\xff\xfe{}"), "not valid JSON"),
    "card is a list": (lambda folder: place(folder, "xgb")[1].write_text("[]"), "not a JSON object"),
    "card nested too deeply": (lambda folder: place(folder, "xgb")[1].write_text("[" * 200_000), "not valid JSON"),
    "other format": (set_field("format", 99), "format is 99, this program reads 1"),
    "field missing": (lambda folder: change_card(folder, "xgb", lambda card: card.pop("target")), "target is wrong"),
    "field unknown": (set_field("surprise", 1), "surprise is wrong"),
    "other family": (set_field("family", "rf"), "family rf, its place is that of xgb"),
    "unknown feature": (set_field("features", ["log_macs", "horoscope"]), "'horoscope', which this program does not know"),
    "unknown offset": (set_field("offset_feature", "horoscope"), "'horoscope', which this program does not know"),
    "feature twice": (set_field("features", ["log_macs"] * 6), "no features, or one twice"),
    "unknown algorithm": (set_field("algorithms", ["magic"]), "'magic', which this program does not know"),
    "unknown range": (set_field("ranges", {"price": {"low": 1, "high": 2}}), "'price', which this program does not know"),
    "unknown algorithm of values seen": (set_field("seen_with_algorithm", {"magic": {}}), "'magic'"),
    "unknown parameter of values seen": (set_field("seen_with_algorithm", {"gemm": {"taps": [1]}}), "'taps'"),
    "interval of unequal lengths": (
        set_field("interval", {"knots": {"*": [0.0, 1.0]}, "low": {"*": [0.0]}, "high": {"*": [0.0, 0.0]}}),
        "not one low and high per knot",
    ),
    "interval not ascending": (
        set_field("interval", {"knots": {"*": [1.0, 0.0]}, "low": {"*": [0.0, 0.0]}, "high": {"*": [0.0, 0.0]}}),
        "not finite and ascending",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_model_is_listed_with_the_reason_and_stops_no_other(
    tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, reason = BROKEN[case]
    write_training_folder(tmp_path, "cpu")
    spoil(tmp_path)
    with caplog.at_level(logging.WARNING):
        library = loaded(tmp_path)
    entry = only(library, "xgb")
    assert entry.status == "failed"
    assert reason in entry.reason
    assert "\n" not in entry.reason
    assert {only(library, family).status for family in ("nn", "rf", "lasso")} == {"loaded"}
    assert XGB not in library.predictors
    assert only(library, "consensus").status == "failed"
    assert "xgb" in only(library, "consensus").reason
    assert sum(XGB in record.getMessage() for record in caplog.records) == 1
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        library.get(XGB)


def test_a_native_file_alone_needs_a_mapping(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", families=("rf",))
    for path in place(tmp_path, "rf"):
        path.unlink()
    entry = only(loaded(tmp_path), "rf")
    assert entry.status == "failed"
    assert entry.path.name == "best_rf_model.joblib"
    assert "best_rf_model.joblib needs a feature mapping (import it:" in entry.reason


def test_a_native_file_with_a_card_waits_and_is_served_from_the_cache_once_converted(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", families=("rf",))
    onnx, card = place(tmp_path, "rf")
    content = onnx.read_bytes()
    onnx.unlink()
    library = loaded(tmp_path)
    assert only(library, "rf").status == "waiting" and only(library, "rf").path.name == "best_rf_model.joblib"
    (found,) = library.waiting()
    where = conversion_of(found)
    assert where is not None and not where.done and where.failure == ""
    where.folder.mkdir(parents=True)
    where.onnx.write_bytes(content)
    kept = json.loads(card.read_text(encoding="utf-8")) | {"imported_from": "best_rf_model.joblib, sha256 0"}
    where.card.write_text(json.dumps(kept), encoding="utf-8")
    library.scan()
    library.load_all()
    entry = only(library, "rf")
    assert (entry.status, entry.origin, entry.path) == ("loaded", "imported", where.onnx)
    assert library.waiting() == [] and "rf_prediction-training-cpu" in library.predictors


def test_a_conversion_that_was_refused_is_not_tried_again_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_training_folder(tmp_path, "cpu", families=("rf",))
    onnx, _ = place(tmp_path, "rf")
    onnx.unlink()
    (found,) = (library := loaded(tmp_path)).waiting()
    where = conversion_of(found)
    assert where is not None
    keep_failure(where, ModelFileError("os.system is not allowed", "do not use it"))
    library.scan()
    assert only(library, "rf").status == "failed" and "os.system is not allowed (do not use it)" in only(library, "rf").reason
    keep_failure(where, WorkerError("took too long", "try again"))
    library.scan()
    assert "took too long" in only(library, "rf").reason
    monkeypatch.setattr(os, "getpid", lambda: 0xFFFF_FFFF)
    library.scan()
    assert only(library, "rf").status == "waiting", "what failed by chance is tried again by the next run"
    keep_failure(where, ModelFileError("os.system is not allowed", "do not use it"))
    onnx.with_suffix(".joblib").write_bytes(b"another file")
    library.scan()
    assert only(library, "rf").status == "waiting"


def test_native_files_are_never_opened(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", families=("rf",))
    native = place(tmp_path, "rf")[0].with_suffix(".joblib")
    native.unlink()
    os.mkfifo(native)  # opening it would block for ever
    assert only(loaded(tmp_path), "rf").status == "loaded"


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({}, "do not sum to one"),
        ({"xgb": 0.7}, "do not sum to one"),
        ({"xgb": 2.0, "rf": -1.0}, "do not sum"),
        ({"cat": 1.0}, "'cat'"),
    ],
)
def test_a_consensus_with_wrong_weights_fails(tmp_path: Path, weights: dict[str, float], reason: str) -> None:
    write_training_folder(tmp_path, "cpu")
    change_card(tmp_path, "consensus", lambda card: card.update(weights=weights))
    assert reason in only(loaded(tmp_path), "consensus").reason


def test_a_consensus_needs_its_families(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", families=("nn", "consensus"))
    assert "its family xgb is not in prediction-training-cpu" in only(loaded(tmp_path), "consensus").reason


def test_the_newest_version_bears_the_plain_name(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0"):
        write_training_folder(tmp_path / f"v{version}", "cpu", families=("xgb",))
    write_training_folder(tmp_path, "cpu", families=("xgb",), version="1.2.0")
    library = loaded(tmp_path)
    assert set(library.predictors) == {XGB, f"{XGB}@1.9.0", f"{XGB}@1.2.0"}
    assert library.get(XGB).version == "1.10.0"
    assert library.get(f"{XGB}@1.10.0") is library.get(XGB)
    assert library.get(f"{XGB}@1.2.0").version == "1.2.0"
    assert [entry.version for entry in library.entries] == ["1.10.0", "1.9.0", "1.2.0"]


def test_a_broken_newest_version_leaves_the_plain_name_to_the_next(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", families=("xgb",))
    newest = write_training_folder(tmp_path / "v2.0.0", "cpu", families=("xgb",))
    (newest / "xgboost" / "best_xgb_model.onnx").write_bytes(b"")
    library = loaded(tmp_path)
    assert library.get(XGB).version == "1.0.0"
    assert {entry.version: entry.status for entry in library.entries} == {"2.0.0": "failed", "1.0.0": "loaded"}


def test_the_later_folder_wins_over_the_same_version(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_training_folder(tmp_path / name, "cpu", families=("xgb",))
    library = ModelLibrary([tmp_path / "first", tmp_path / "second"])
    library.load_all()
    assert library.get(XGB).path.is_relative_to(tmp_path / "second")
    replaced = [entry for entry in library.entries if entry.status == "failed"]
    assert len(replaced) == 1
    assert "same name and version" in replaced[0].reason


def test_models_of_the_environment_are_found_beside_the_bundled_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_training_folder(tmp_path / "one", "cpu", families=("xgb",))
    write_training_folder(tmp_path / "two", "gpul40s", families=("xgb",), folder="prediction-training-mine")
    monkeypatch.setenv("MODELS_DIR", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "none")]))
    library = ModelLibrary()
    library.scan()
    mine = {entry.name for entry in library.entries if entry.origin == "user"}
    assert mine >= {"xgb_prediction-training-mine"}
    assert any("none cannot be searched" in problem for problem in library.problems)


def test_a_rescan_finds_new_models_keeps_unchanged_ones_and_reads_changed_ones_again(tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path, "cpu")
    library = loaded(tmp_path)
    before = library.predictors
    write_training_folder(tmp_path, "gpul40s", families=("nn",))
    onnx, card = place(tmp_path, "rf")
    write_model(folder, "rf", "cpu", ranges={"batch_size": Range(low=1, high=64)})
    os.utime(card, ns=(1, 1))
    library.scan()
    assert library.predictors[XGB] is before[XGB]
    assert only(library, "rf").status == "found"
    assert only(library, "consensus").status == "found"
    library.load_all()
    assert library.predictors["rf_prediction-training-cpu"] is not before["rf_prediction-training-cpu"]
    assert "nn_prediction-training-gpul40s" in library.predictors
    onnx.unlink()
    library.scan()
    assert "rf_prediction-training-cpu" not in library.predictors


def test_a_repaired_model_loads_after_a_rescan(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu")
    onnx, _ = place(tmp_path, "xgb")
    data = onnx.read_bytes()
    onnx.write_bytes(data[:-1])
    library = loaded(tmp_path)
    assert only(library, "xgb").status == "failed"
    onnx.write_bytes(data)
    library.scan()
    library.load_all()
    assert {entry.status for entry in library.entries} == {"loaded"}


def test_unknown_names_are_answered_with_the_nearest(models_folder: Path) -> None:
    library = ModelLibrary([models_folder])
    with pytest.raises(UnknownNameError, match="did you mean xgb_prediction-training-gpul40s"):
        library.get("xgb_prediction-training-gpul40")
    with pytest.raises(UnknownNameError, match="did you mean gpul40s"):
        library.for_target("gpul40")


def test_get_and_for_target_load_what_they_need(models_folder: Path) -> None:
    library = ModelLibrary([models_folder])
    assert library.get("consensus_prediction-training-cpu").predict_one(LAYER).time_ms > 0
    assert [predictor.family for predictor in library.for_target("gpul40s")] == ["nn", "xgb", "rf", "lasso", "consensus"]
    assert library.for_target("prediction-training-cpu")[0].target.name == "cpu"
    assert all("v100" not in name for name in library.predictors)


def test_progress_counts_every_model_and_cancel_ends_early(models_folder: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    ModelLibrary([models_folder]).load_all(lambda entry, done, total: seen.append((entry.status, done, total)))
    assert seen == [("loaded", done, 15) for done in range(1, 16)]
    library = ModelLibrary([models_folder])
    library.load_all(cancelled=lambda: len(library.predictors) >= 1)
    assert 1 <= len(library.predictors) < 15


def test_an_entry_that_is_gone_fails_without_an_exception(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", families=("xgb",))
    library = ModelLibrary([tmp_path])
    (entry,) = library.scan()
    place(tmp_path, "xgb")[0].unlink()
    place(tmp_path, "xgb")[1].unlink()
    place(tmp_path, "xgb")[0].with_suffix(".joblib").unlink()
    library.scan()
    assert library.load(entry).status == "failed"


def test_loading_and_predicting_at_the_same_time(models_folder: Path) -> None:
    library = ModelLibrary([models_folder])
    predictor = library.get("nn_prediction-training-cpu")
    expected = predictor.predict_one(LAYER).time_ms
    failures: list[BaseException] = []
    answered: list[float] = []
    done = threading.Event()

    def predict() -> None:
        try:
            while not done.is_set():
                answered.append(library.get("nn_prediction-training-cpu").predict_one(LAYER).time_ms)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        library.scan()
        library.load_all()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(answered) == {expected}
    assert len(library.predictors) == 15


def test_two_threads_load_one_model_once(models_folder: Path) -> None:
    library = ModelLibrary([models_folder])
    library.scan()
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(id(library.get("rf_prediction-training-cpu").model))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1


def test_predictors_of_two_versions_answer_side_by_side(tmp_path: Path) -> None:
    from cnnpredict_gui.serving.predictor import predict_many

    write_training_folder(tmp_path, "cpu", families=("xgb",))
    write_training_folder(tmp_path / "v2.0.0", "cpu", families=("xgb",))
    library = loaded(tmp_path)
    answers = predict_many(list(library.predictors.values()), ConfigTable.from_configs([LAYER]))
    assert set(answers) == {XGB, f"{XGB}@1.0.0"}


def test_models_made_on_this_computer_are_found_without_a_problem_before_there_are_any(models_folder: Path) -> None:
    library = ModelLibrary([models_folder, user_models_dir()])
    library.scan()
    assert library.problems == []
    write_training_folder(user_models_dir(), "gpul40s", ["xgb"], folder="prediction-training-mine")
    (entry,) = [entry for entry in library.scan() if entry.name == "xgb_prediction-training-mine"]
    assert entry.origin == "user"
