"""Write again what a card says of its data's domain, from the data and without training: ``FILE TRAINING_FOLDER...``."""

from __future__ import annotations

import sys
from pathlib import Path

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.names import TRAINING_PREFIX
from cnnpredict_gui.infra.files import atomic_text
from cnnpredict_gui.training.datasets import load_measurements
from cnnpredict_gui.training.pipeline import domain_of


def main() -> None:
    """Update every card of the folders."""
    data = Path(sys.argv[1])
    for folder in map(Path, sys.argv[2:]):
        own, _ = load_measurements([data], folder.name.removeprefix(TRAINING_PREFIX))
        for path in sorted(folder.rglob("*.card.json")):
            card = ModelCard.model_validate_json(path.read_text(encoding="utf-8"))
            atomic_text(path, card.model_copy(update=domain_of(own.table)).model_dump_json(indent=1) + "\n")
            print(path)


if __name__ == "__main__":
    main()
