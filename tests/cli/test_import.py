"""``cnnpredict import`` and native files that other commands come across."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from cnnpredict_gui.core.card import ModelCard
from tests.artefacts import FEATURES, linear_model, make_card, make_device, make_target
from tests.cli.conftest import LAYER, Run

pytestmark = pytest.mark.timeout(180)
GIVEN = ("--target", "gpul40s", "--family", "lasso", "--output", "log_ms", "--features", ",".join(FEATURES))


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """A predictor without a card; ONNX, since a child process reads it fastest."""
    path = tmp_path / "mine.onnx"
    path.write_bytes(linear_model(shift=0.5).SerializeToString())
    return path


def test_an_imported_model_predicts_without_range_and_interval(run: Run, native: Path) -> None:
    done = run("import", native, *GIVEN)
    assert done.code == 0, done.err
    assert "differs from the native model by at most" in done.out and "training range is unknown" in done.out
    answer = run("predict", "--model", "lasso_prediction-training-gpul40s-mine", *LAYER, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["verdict"] == "extrapolating: training range unknown"
    assert answer.json["interval_ms"] == [None, None] and answer.json["execution_time_ms"] > 0
    listed = {one["name"]: one for one in run("models", "--json").json}
    assert listed["lasso_prediction-training-gpul40s-mine"]["origin"] == "imported"
    assert listed["lasso_prediction-training-gpul40s"]["status"] == "loaded", "the usual predictor keeps its place"


def test_json_and_a_folder_of_its_own(run: Run, native: Path, tmp_path: Path) -> None:
    out = tmp_path / "models"
    done = run("import", native, *GIVEN, "--out", out, "--json")
    assert done.code == 0, done.err
    assert done.json["name"] == "lasso_prediction-training-gpul40s"
    assert done.json["max_relative_difference"] < 1e-5 and done.json["sample_rows"] == 512
    assert done.json["interval"] is False and done.json["training_ranges"] is False
    folder = out / "prediction-training-gpul40s" / "polynomial-regression"
    assert sorted(path.name for path in folder.iterdir()) == ["best_lasso_model.card.json", "best_lasso_model.onnx"]
    card = ModelCard.model_validate_json((folder / "best_lasso_model.card.json").read_bytes())
    assert card.imported_from.startswith("mine.onnx, sha256 ") and card.features == FEATURES
    assert "on 512 sample layers times differ from the native model" in card.notes[0]


def test_a_card_beside_the_file_says_everything_and_keeps_ranges(run: Run, native: Path, tmp_path: Path) -> None:
    card = make_card("rf", "x", "cpu")
    native.with_suffix(".card.json").write_text(card.model_dump_json(), encoding="utf-8")
    done = run("import", native, "--out", tmp_path / "models", "--json")
    assert done.code == 0, done.err
    assert (done.json["family"], done.json["target"]) == ("rf", "cpu")
    assert done.json["interval"] and done.json["training_ranges"]
    assert any("lists no sha256 of mine.onnx" in note for note in done.json["notes"])
    other = run("import", native, "--output", "ms", "--out", tmp_path / "other", "--json")
    assert other.json["interval"] is False, "what the options change is not what the card was made for"


def test_a_mapping_file_describes_a_target_that_is_not_there(run: Run, native: Path, tmp_path: Path) -> None:
    mapping = {
        "target": make_target("toaster").model_dump(),
        "device": make_device("toaster").model_dump(),
        "family": "rf",
        "features": list(FEATURES),
        "output": "us",
    }
    file = tmp_path / "toaster.json"
    file.write_text(json.dumps(mapping), encoding="utf-8")
    done = run("import", native, "--mapping", file, "--output", "log_ms", "--json")
    assert done.code == 0, done.err
    assert done.json["target"] == "toaster"
    assert run("predict", "--target", "toaster", *LAYER, "--json").code == 0


@pytest.mark.parametrize(
    ("left_out", "says"),
    [
        ("--target", "target is missing (give --target"),
        ("--family", "family is missing (give --family"),
        ("--output", "output is missing (give --output"),
        ("--features", "features is missing (give --features"),
    ],
)
def test_what_is_missing_is_named(run: Run, native: Path, left_out: str, says: str) -> None:
    pairs = dict(zip(GIVEN[::2], GIVEN[1::2], strict=True))
    del pairs[left_out]
    run("import", native, *(part for pair in pairs.items() for part in pair)).assert_error(says)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--target", "gpul4"), "did you mean gpul40s?"),
        (("--family", "forest"), "family is wrong"),
        (("--output", "minutes"), "output is wrong"),
        (("--features", "log_macs,log_macs"), "named twice"),
        (("--features", "log_mac"), "did you mean log_macs?"),
        (("--features", "[1, 2]"), "something that is no text"),
        (("--features", "macs"), "takes 6 features and the mapping names 1"),
        (("--activation", "magic"), "activation is wrong"),
        (("--mapping", "nowhere.json"), "nowhere.json does not exist"),
    ],
)
def test_what_is_wrong_is_told(run: Run, native: Path, options: tuple[str, str], says: str) -> None:
    run("import", native, *GIVEN, *options).assert_error(says)


def test_a_hostile_file_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch '{tmp_path / 'canary'}'",)

    path = tmp_path / "model.joblib"
    path.write_bytes(pickle.dumps(Evil()))
    run("import", path, *GIVEN).assert_error("os.system is not allowed in a model file")
    assert not (tmp_path / "canary").exists()
    run("import", tmp_path, *GIVEN).assert_error("is a folder")
    run("import", tmp_path / "no.joblib", *GIVEN).assert_error("does not exist")


def test_native_files_in_a_models_folder_are_imported_once(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "others" / "prediction-training-new" / "rdf"
    folder.mkdir(parents=True)
    (folder / "best_rf_l40s_model.onnx").write_bytes(linear_model().SerializeToString())
    mapping = {"target": "gpul40s", "features": list(FEATURES), "output": "log_ms"}
    (folder / "best_rf_l40s_model.mapping.json").write_text(json.dumps(mapping), encoding="utf-8")
    command = ("predict", "--models-dir", tmp_path / "others", "--model", "rf_prediction-training-new", *LAYER, "--json")
    first, second = run(*command), run(*command)
    assert "importing" in first.err and "importing" not in second.err
    assert first.code == second.code == 0
    assert first.json["execution_time_ms"] == second.json["execution_time_ms"] > 0
    assert sorted(path.name for path in folder.iterdir()) == ["best_rf_l40s_model.mapping.json", "best_rf_l40s_model.onnx"]
