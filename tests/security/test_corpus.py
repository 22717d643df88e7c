"""Every hostile or broken file: no code runs, one line says what is wrong and what to do, nothing is written."""

from __future__ import annotations

import logging
import pickle
import warnings
from pathlib import Path

import pytest
import sklearn

from cnnpredict_gui.core.errors import CnnPredictError, ModelError
from cnnpredict_gui.importing.importer import import_file
from tests.security import cases_code, cases_damage
from tests.security.workshop import CASES, SOUND, Case, Workshop, mapping, needs_posix

assert cases_code and cases_damage


def refusal(case: Case, workshop: Workshop, out: Path) -> CnnPredictError:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = case.build(workshop)
        with pytest.raises(ModelError) as caught:
            import_file(path, mapping(**case.changes), out)
    return caught.value


def test_the_corpus_is_large() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize("name", CASES)
def test_is_refused(
    name: str, workshop: Workshop, in_this_process: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case, out = CASES[name], tmp_path / "out"
    with caplog.at_level(logging.WARNING):
        error = refusal(case, workshop, out)
    assert not workshop.canary.exists(), "code of the file ran"
    assert case.says in error.message
    assert error.hint, "the error does not say what to do"
    assert len(str(error).splitlines()) == 1 and str(error).isprintable() and len(str(error)) < 500
    assert not out.exists(), "something was kept"
    refusals = [record for record in caplog.records if "refused" in record.getMessage()]
    assert len(refusals) == 1 and error.message in refusals[0].getMessage()


def test_the_canary_would_be_seen(workshop: Workshop) -> None:
    """The corpus would prove nothing if its files could not run code anywhere."""
    needs_posix()
    path = CASES["calls os.system"].build(workshop)
    assert not workshop.canary.exists()
    pickle.loads(path.read_bytes())
    assert workshop.canary.exists()


@pytest.mark.parametrize("name", SOUND)
def test_the_sound_models_are_imported(name: str, workshop: Workshop, in_this_process: None, tmp_path: Path) -> None:
    """The corpus would prove nothing if everything were refused."""
    made = import_file(workshop.sound / name, mapping(**SOUND[name]), tmp_path / "out")
    assert made.difference < 1e-4 and made.rows == 512
    assert made.onnx.is_file() and made.card.imported_from.startswith(name)
    assert made.card.interval is None and not made.card.ranges


def test_versions_that_differ_are_told_and_the_comparison_decides(
    workshop: Workshop, in_this_process: None, tmp_path: Path
) -> None:
    old = workshop.read("forest.pkl").replace(sklearn.__version__.encode(), b"1.5.9")
    made = import_file(workshop.write("old.pkl", old), mapping(), tmp_path / "out")
    assert f"saved by scikit-learn 1.5.9, checked with {sklearn.__version__}" in made.notes
    assert made.card.library_versions["scikit-learn"] == "1.5.9"


def test_a_sound_model_with_a_name_in_many_scripts_is_imported(
    workshop: Workshop, in_this_process: None, tmp_path: Path
) -> None:
    needs_posix()
    path = workshop.write("模型 модель 🧪\n.onnx", workshop.read("linear.onnx"))
    made = import_file(path, mapping(family="lasso"))
    assert made.onnx.parent.parent.name.isascii()
    assert "\n" not in made.card.imported_from
