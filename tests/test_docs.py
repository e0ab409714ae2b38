"""The how-to pages, followed literally: their blocks run in order in a copy of the checkout.

A block whose first line is `# file: PATH` is written there; `bash` blocks are run; each line of a
`text` block stands in the output of the `bash` block before it. Blocks without a language are
pictures. `pip install -e` puts the package into a folder of the test instead of the environment.

What only takes time is cut: the demo's phantom is there, its epochs have two steps, and the machine
has one processor, so that Ray starts one worker.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
COPIED = ("benchmark", "methods", "reports", "datasets", "tests", "pyproject.toml", "setup.py")
PIP = (
    "python -m pip install --quiet --no-deps --no-build-isolation --no-index "
    '--disable-pip-version-check --target "$SITE" "$3"'
)


def blocks(page: str) -> list[tuple[str, str]]:
    return FENCED.findall((CHECKOUT / "docs" / page).read_text(encoding="utf-8"))


@pytest.fixture
def checkout(tmp_path, data_root) -> Path:
    """A copy of this checkout, in which a page may write."""
    shutil.copytree(data_root, tmp_path / "checkout" / "data")
    for name in COPIED:
        source, target = CHECKOUT / name, tmp_path / "checkout" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    preset = tmp_path / "checkout" / "benchmark" / "study" / "conf" / "demo.yaml"
    text = preset.read_text(encoding="utf-8")
    assert text.count("steps_per_epoch: 20\n") == 2
    preset.write_text(text.replace("steps_per_epoch: 20\n", "steps_per_epoch: 2\n"))
    return tmp_path / "checkout"


@pytest.fixture
def shell(checkout, tmp_path):
    """A function: run a bash block in the copy, with its `bench`; gives the output."""
    commands = {
        "python": f'exec "{sys.executable}" "$@"',
        "bench": 'exec python -c "from benchmark.cli.main import main; main()" "$@"',
        "pytest": 'exec python -m pytest -p no:cacheprovider "$@"',
        "pip": f'test "$1 $2" = "install -e" && exec {PIP}',
    }
    (tmp_path / "bin").mkdir()
    for name, line in commands.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    site = tmp_path / "site"
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{checkout}{os.pathsep}{site}",
        "SITE": str(site),
    }

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=checkout,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, [max(os.sched_getaffinity(0))]),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    return run


def follow(page: str, checkout: Path, shell) -> list[str]:
    """Do what the page says; gives the output of each bash block."""
    outputs = []
    for language, text in blocks(page):
        if language == "bash":
            outputs.append(shell(text))
        elif language == "text":
            for line in text.splitlines():
                assert line in outputs[-1].splitlines(), f"{page}: not printed: {line}"
        elif language:
            file = checkout / re.match(r"# file: (\S+)\n", text)[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return outputs


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_method_of_ones_own_comes_from_nothing_to_a_table(checkout, shell):
    checked, ran, chosen, _, packaged, again = follow("own-method.md", checkout, shell)
    assert "pseudo_label  Pseudo-labelling: the network learns" in checked
    assert "pseudo_label keeps the contract" in checked
    assert "pseudo_label" in ran and "n = 2" in ran
    assert "6 trials: 0 done, 6 to run" in chosen
    assert packaged.count("from package") == 1
    assert "pseudo_label/phantom_glas/5 %/seed 2" in again


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dataset_of_ones_own_comes_from_nothing_to_a_table(checkout, shell):
    _, prepared, _, ran, volumes, balls, _, packaged = follow("own-dataset.md", checkout, shell)
    assert "mine: 30 train and 10 test cases in data/mine" in prepared
    assert "mine DC" in ran and "n = 2" in ran
    assert "  groups: 4 in train, 2 in test\n" in volumes
    assert "balls HD95" in balls and "| mm |" in balls
    assert "mine: 30 train and 10 test cases in other-data/mine" in packaged


@pytest.mark.parametrize("page", ["own-method.md", "own-dataset.md"])
def test_links_of_the_pages_lead_somewhere(page):
    text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links
    for link in links:
        assert (CHECKOUT / "docs" / link).exists(), link


def test_the_readme_leads_to_the_pages():
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert "(docs/own-method.md)" in text and "(docs/own-dataset.md)" in text
