"""Who may read files that can run code: a list, and a check that nobody else does."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.resilience.conftest import ROOT

_READERS = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "pickle._Unpickler", "cloudpickle.load", "cloudpickle.loads"),
    *("dill.load", "shelve.open", "marshal.load", "marshal.loads", "joblib.load", "torch.load"),
    *("eval", "exec", "yaml.load", "yaml.unsafe_load"),
}
#: Module and function, and why it is safe there.
ALLOWED = {
    ("bench/native.py", "_estimator", "joblib.load"): "files that came with the program, hash checked, in a child process",
    ("training/workers.py", "_read", "joblib.load"): "what the parent process wrote for its workers",
    ("training/workers.py", "content", "pickle.loads"): "what the parent process sent to the Dask cluster that the user chose",
}


def _reads(path: Path) -> set[tuple[str, str, str]]:
    name = path.relative_to(ROOT / "cnnpredict_gui").as_posix()
    found = set()

    def look(node: ast.AST, function: str) -> None:
        if isinstance(node, ast.FunctionDef):
            function = node.name
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _READERS:
            weights = any(one.arg == "weights_only" and ast.unparse(one.value) == "True" for one in node.keywords)
            if not weights:
                found.add((name, function, ast.unparse(node.func)))
        numpy_pickle = isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False"
        if numpy_pickle:
            found.add((name, function, "allow_pickle"))
        for child in ast.iter_child_nodes(node):
            look(child, function)

    look(ast.parse(path.read_text(encoding="utf-8")), "")
    return found


def test_nobody_else_reads_files_that_can_run_code() -> None:
    found = set().union(*(_reads(path) for path in (ROOT / "cnnpredict_gui").rglob("*.py")))
    assert found == set(ALLOWED)


def test_what_is_looked_for_is_found(tmp_path: Path) -> None:
    """Or the test above would pass on anything."""
    module = ROOT / "cnnpredict_gui" / "bench" / "native.py"
    assert ("bench/native.py", "_estimator", "joblib.load") in _reads(module)
    assert "weights_only=True" in module.read_text(encoding="utf-8")
