"""What a shell is offered, as the shell asks for it."""

import os
import subprocess
import sys

import pytest

from tests.conftest import CHECKOUT
from tests.test_architecture import loaded_by

PROGRAM = "import sys; sys.argv[0] = 'bench'; from benchmark.cli.main import main; main()"


@pytest.fixture
def offered(tmp_path):
    """A function: what bash is offered for a line that is typed, up to its last word."""
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "data" / "mine" / "manifest.json").write_text("{}")
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "mine.py").write_text("")

    def ask(line: str) -> set[str]:
        asked = {
            "_BENCH_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
            "PYTHONPATH": str(CHECKOUT),
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path, env=os.environ | asked, capture_output=True, text=True,
        )  # fmt: skip
        return set(done.stdout.split())

    return ask


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("bench rep", {"report"}),
        ("bench run --methods c", {"cct", "cps"}),
        ("bench run --methods supervised,mean", {"supervised,mean_teacher"}),
        ("bench run --datasets m", {"mine"}),
        ("bench run --preset c", {"cpu", "cpu3d"}),
        ("bench run --preset mi", {"mine.yaml"}),
        ("bench check mi", {"mine.py"}),
        ("bench check mean", {"mean_teacher"}),
        ("bench data check m", {"mine"}),
        ("bench data prepare gl", {"glas"}),
        ("bench list pu", {"published"}),
    ],
)
def test_names_are_offered(line, some, offered):
    assert offered(line) == some


def test_names_are_found_without_heavy_imports():
    asked = (
        "from benchmark.cli import completion as c; c.methods('c'); c.presets('c'); c.cards('g')"
    )
    heavy = {"torch", "numpy", "pandas", "pydantic", "hydra", "ray", "scipy"}
    assert not loaded_by(asked) & heavy


def test_the_version_is_printed(bench):
    import benchmark

    assert bench("--version")[:2] == (0, f"semiseg-bench {benchmark.__version__}\n")
