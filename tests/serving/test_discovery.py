"""Which files are found as which model."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnpredict_gui.core.names import LAYOUT, TRAINED_FAMILIES
from cnnpredict_gui.serving.discovery import find_models, version_key
from tests.artefacts import write_model, write_training_folder


def names(folder: Path) -> dict[str, str]:
    return {model.name: model.version for model in find_models(folder)}


def test_every_family_of_a_training_folder_is_found_by_its_place(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "gpul40s")
    assert set(names(tmp_path)) == {f"{family}_prediction-training-gpul40s" for family in (*TRAINED_FAMILIES, "consensus")}


def test_a_models_folder_may_itself_be_a_training_folder(tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path, "cpu", families=("nn", "xgb"))
    assert set(names(folder)) == {"nn_prediction-training-cpu", "xgb_prediction-training-cpu"}


@pytest.mark.parametrize("family", TRAINED_FAMILIES)
def test_a_family_folder_by_itself_is_named_after_the_folder(tmp_path: Path, family: str) -> None:
    write_model(tmp_path, family)
    assert set(names(tmp_path)) == {f"{family}_{LAYOUT[family][0].split('/')[0]}"}


def test_a_stem_with_a_device_in_it_is_found(tmp_path: Path) -> None:
    write_model(tmp_path / "prediction-training-gpul40s", "rf", stem="best_rf_l40s_model")
    (model,) = find_models(tmp_path)
    assert model.name == "rf_prediction-training-gpul40s"
    assert model.onnx is not None
    assert model.onnx.name == "best_rf_l40s_model.onnx"


def test_variants_beside_the_plain_stem_get_names_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "prediction-training-gpul40s"
    write_model(folder, "rf")
    write_model(folder, "rf", stem="best_rf_small_model")
    assert set(names(tmp_path)) == {"rf_prediction-training-gpul40s", "rf_prediction-training-gpul40s_small"}


@pytest.mark.parametrize("version", ["v1.2.0", "1.2.0", "V1.2.0"])
def test_a_version_folder_gives_its_models_the_version(tmp_path: Path, version: str) -> None:
    write_training_folder(tmp_path / version, "cpu", families=("xgb",))
    assert names(tmp_path) == {"xgb_prediction-training-cpu": "1.2.0"}


def test_hidden_folders_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    write_training_folder(tmp_path / ".git", "cpu")
    folder = tmp_path / "prediction-training-cpu" / "xgboost"
    folder.mkdir(parents=True)
    for name in ("notes.txt", "best_rf_model.onnx", "best_xgb_model.onnx.tmp", ".best_xgb_model.onnx"):
        (folder / name).write_bytes(b"")
    assert find_models(tmp_path) == []


def test_files_of_one_stem_belong_together(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", families=("nn",))
    (model,) = find_models(tmp_path)
    assert model.card is not None and model.card.name == "best_model.card.json"
    assert model.native is not None and model.native.name == "best_model.pth"
    assert model.path == model.onnx


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        find_models(tmp_path / "nowhere")


def test_versions_are_ordered_by_number() -> None:
    ordered = ["", "0.9", "1.0.0-rc1", "1.0", "1.0.1", "v1.9", "1.10.0", "2"]
    mixed = [ordered[place] for place in (3, 7, 0, 5, 2, 6, 1, 4)]
    assert sorted(mixed, key=version_key) == ordered
    assert version_key("1.0") == version_key("v1.0.0")
