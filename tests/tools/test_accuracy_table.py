"""The accuracy table of the README."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.artefacts import write_training_folder
from tools.accuracy_table import BEGIN, END, ROOT, accuracy_table, read_cards, replaced


def test_a_row_per_target(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "gpul40s")
    write_training_folder(tmp_path, "cpu", ("xgb",))
    lines = accuracy_table(read_cards(tmp_path)).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith(
        "| CPU · PyTorch (`cpu`) | `framework_wall_clock` | – | 5.0 % | – | – | – | 3.0 % | 85.0 % | 90.0 % | 1,000 |"
    )
    assert len({line.count("|") for line in lines}) == 1


def test_the_default_algorithm_alone_where_there_are_several(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "gpul40s", ("xgb",))
    (card,) = read_cards(tmp_path)
    found = card.metrics["grouped_by_shape"]
    groups = {f"{card.default_algorithm}/fp16": found, "gemm/fp16": found, "winograd/fp16": found}
    lines = accuracy_table([card.model_copy(update={"metrics_by_group": groups})]).splitlines()
    assert lines[-1] == f"| `gpul40s` | {card.default_algorithm} fp16 | XGBoost | 5.0 % | 3.0 % | 85.0 % | 90.0 % | 1,000 |"
    assert sum("fp16" in line for line in lines) == 1


def test_only_what_is_between_the_marks_changes() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(text, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(SystemExit):
        replaced("no marks", "new")


def test_the_readme_says_what_the_bundled_cards_say() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert replaced(readme, accuracy_table(read_cards(ROOT / "models"))) == readme
