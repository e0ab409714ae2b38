"""docs/python.md and the notebook beside it, run as they stand, on the phantom of GlaS."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CHECKOUT

PAGE, NOTEBOOK = CHECKOUT / "docs" / "python.md", CHECKOUT / "docs" / "explore.ipynb"
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
SAID = re.compile(r"print\(.*\)  # (.+)")
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600).execute()
nbformat.write(notebook, sys.argv[2])
"""
MISTAKE = 'sb.run("demo", methods="cpss")'
AFTERWARDS = """\
import asyncio, sys
("ray" in sys.modules, asyncio.get_running_loop().is_running())"""


@pytest.fixture
def folder(tmp_path, data_root) -> Path:
    """Where a user works, with the phantom prepared."""
    shutil.copytree(data_root, tmp_path / "data")
    return tmp_path


def executed(folder: Path, *words: str) -> str:
    """What Python printed, in this folder and with this checkout."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])},
        preexec_fn=lambda: os.sched_setaffinity(0, [max(os.sched_getaffinity(0))]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_code_of_the_page_runs_and_prints_what_it_says(folder):
    page = PAGE.read_text(encoding="utf-8")
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(picture).save(folder / "mine.png")
    code = "\n".join(CODE.findall(page))
    (folder / "page.py").write_text(f"{code}\nprint(mask.shape)", encoding="utf-8")
    printed = executed(folder, "page.py")
    said = SAID.findall(code)
    assert len(said) == 2
    for text in said:  # "…" stands for the rest
        assert text.partition(" …")[0] in printed
    assert printed.endswith("(90, 120)\n")  # the reader's own image has a mask of its size
    assert (folder / "results" / "demo" / "results.csv").is_file()


def test_the_page_shows_all_that_there_is():
    """Everything that is said to be stable is shown."""
    page = PAGE.read_text(encoding="utf-8")
    for name in (
        "sb.run(",
        "sb.load_study(",
        "sb.load_model(",
        "sb.methods(",
        "sb.datasets(",
        "sb.UserError",
    ):
        assert name in page
    for table in (".trials", ".cases", ".classes", ".history", ".report(", ".trial(", ".model("):
        assert table in page


def test_the_notebook_is_kept_without_what_it_printed():
    assert NOTEBOOK.stat().st_size < 10_000
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 5
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]


@pytest.fixture(scope="module")
def jupyter() -> None:
    """Skips where the extra `docs` is not installed; in CI it must be."""
    missing = [
        name for name in ("nbclient", "nbformat", "ipykernel") if not importlib.util.find_spec(name)
    ]
    if missing:
        assert not os.environ.get("REQUIRE_DOCS"), f"not installed: {', '.join(missing)}"
        pytest.skip(f'not installed: {", ".join(missing)}; pip install -e ".[docs]"')


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_notebook_runs_and_a_mistake_in_it_is_one_sentence(folder, jupyter):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    for i, source in enumerate((AFTERWARDS, MISTAKE)):
        added = {"cell_type": "code", "execution_count": None, "id": f"added-{i}", "outputs": []}
        tags = {"tags": ["raises-exception"]} if source == MISTAKE else {}
        notebook["cells"].append(added | {"metadata": tags, "source": source})
    (folder / "explore.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    executed(folder, "-c", EXECUTE, "explore.ipynb", "done.ipynb")

    done = json.loads((folder / "done.ipynb").read_text(encoding="utf-8"))["cells"]
    *ours, after, mistake = [cell for cell in done if cell["cell_type"] == "code"]
    assert mistake["outputs"][0]["traceback"] == [
        'error: no method "cpss"; did you mean "cps"? (bench list methods)'
    ]
    (shown,) = after["outputs"]
    assert shown["data"]["text/plain"] == ["(False, True)"]  # Ray was never here; the loop runs on
    kinds = [[output["output_type"] for output in cell["outputs"]] for cell in ours]
    assert sum("display_data" in kind for kind in kinds) == 2  # the two drawings
    run = ours[0]["outputs"]
    assert run[-1]["data"]["text/plain"] == ["<study explore: 8 of 8 trials done>"]
    said = "".join("".join(output["text"]) for output in run[:-1])
    assert "[8/8] " in said and "8 trials: 0 done, 8 to run" in said
    assert "\x1b" not in said and "Warning" not in said and "ipywidgets" not in said
