"""What a user without a checkout gets."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PARTS = ("benchmark", "methods", "reports", "datasets", "pyproject.toml", "setup.py", "README.md")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what is packaged: a build writes beside its source."""
    folder = tmp_path_factory.mktemp("source")
    for part in PARTS:
        if (CHECKOUT / part).is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(CHECKOUT / part, folder / part, ignore=skipped)
        else:
            shutil.copy(CHECKOUT / part, folder)
    shutil.copytree(CHECKOUT / "results" / "published", folder / "results" / "published")
    return folder


def build(source: Path, out: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    return subprocess.run(
        [*command, "--no-index", "-w", out, source], capture_output=True, text=True, check=False
    )


LISTS = sorted(CHECKOUT.glob("datasets/lists/*/*.txt"))


def test_a_wheel_holds_the_cards_the_presets_and_the_published_numbers(source, tmp_path):
    done = build(source, tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    cards = {f"benchmark/_resources/datasets/{f.name}" for f in CHECKOUT.glob("datasets/*.yaml")}
    presets = {
        f"benchmark/study/conf/{f.name}" for f in CHECKOUT.glob("benchmark/study/conf/*.yaml")
    }
    assert len(cards) == 11 and cards <= names
    assert len(presets) == 6 and presets <= names
    assert "benchmark/_resources/results/published/arxiv_2504.01547v2.csv" in names
    assert "benchmark/_resources/results/published/arxiv_2504.01547v2.yaml" in names
    assert "benchmark/_resources/datasets/collections/medsegbench.csv" in names
    lists = {f"benchmark/_resources/{f.relative_to(CHECKOUT)}" for f in LISTS}
    assert len(lists) == 52 and lists <= names
    assert {"reports/page/page.html.jinja", "reports/figures/figures.mplstyle"} <= names
    assert {"methods/cps.py", "reports/tables/main.py", "benchmark/data/prepare.py"} <= names
    modules = {str(f.relative_to(CHECKOUT)) for f in CHECKOUT.glob("benchmark/**/*.py")}
    assert modules <= names and "benchmark/py.typed" in names
    assert not any(name.startswith(("datasets/", "results/", "tests/")) for name in names)


def test_a_wheel_without_cards_is_not_built(source, tmp_path):
    shutil.move(source / "datasets", tmp_path / "datasets")
    try:
        done = build(source, tmp_path)
    finally:
        shutil.move(tmp_path / "datasets", source / "datasets")
    assert done.returncode != 0
    assert "to put into the wheel" in done.stdout + done.stderr
