"""Which code made a trial: what counts as a change of it, and what is done about it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import provenance
from benchmark.study.sources import code_of, fingerprint
from tests.conftest import CHECKOUT
from tests.grids import TINY_RUN

PLAIN = '"""A method."""\n\nfrom x import y\n\n\ndef loss(z):\n    return 2 * z + y\n'


def of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.py"
    file.write_text(text)
    return fingerprint([file])


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("A method.", "Another sentence."),
        PLAIN.replace("def loss(z):\n", 'def loss(z):\n    """What it gives."""\n'),
        PLAIN.replace("return 2 * z + y", "return (2*z) + y  # because"),
        "# a comment\n" + PLAIN,
        PLAIN.replace("\n\n\n", "\n"),
    ],
)
def test_words_and_layout_are_no_change_of_code(text, tmp_path):
    assert of(tmp_path, text) == of(tmp_path, PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("2 * z", "3 * z"),
        PLAIN.replace("2 * z", "2.0 * z"),
        PLAIN.replace("2 * z + y", "2 * (z + y)"),
        PLAIN.replace("from x import y", "from x import w as y"),
        PLAIN.replace("return 2", "return -2"),
        PLAIN + "\n\nLIMIT = 'a'\n",
    ],
)
def test_whatever_is_computed_otherwise_is(text, tmp_path):
    assert of(tmp_path, text) != of(tmp_path, PLAIN)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the code, to be edited."""
    for package in ("benchmark", "methods"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / package, tmp_path / "checkout" / package, ignore=ignored)
    return tmp_path / "checkout"


def codes(checkout: Path, *methods: str) -> list[str]:
    """method and tool code of each, as that checkout has them."""
    probe = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from benchmark.study.sources import code_of\n"
        "print(*(word for name in sys.argv[2:] for word in code_of(name)))\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, checkout, *methods],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_a_method_and_its_private_module_are_its_code_and_nothing_else_is(checkout):
    before = codes(checkout, "ours", "cps")
    edit(checkout / "methods" / "_ours_options.py", "rounds: int = option(\n        5", "rounds: int = option(\n        4")  # fmt: skip  # noqa: E501
    after = codes(checkout, "ours", "cps")
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True, True]
    edit(checkout / "methods" / "cps.py", "weight * share * cross", "2 * weight * share * cross")
    assert codes(checkout, "cps")[0] != after[2]
    assert codes(checkout, "ours")[0] == after[0]


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("toolkit/losses.py", "return 0.5 * (", "return 0.6 * (", True),
        ("training/loop.py", "optimiser.step()", "optimiser.step(None)", True),
        ("data/split/parts.py", "DEV_SHARE = 0.2", "DEV_SHARE = 0.3", True),
        ("randomness.py", ">> 1", ">> 2", True),
        ("toolkit/losses.py", "Mean over all pixels", "The mean over all pixels", False),
        ("cli/run.py", "results: {", "the results: {", False),
        ("store/status.py", "_SHOWN = 20", "_SHOWN = 21", False),
    ],
)
def test_the_tools_code_is_what_makes_numbers(file, old, new, counts, checkout):
    before = codes(checkout, "cps")
    edit(checkout / "benchmark" / file, old, new)
    method, tool = codes(checkout, "cps")
    assert method == before[0]
    assert (tool != before[1]) == counts


def test_a_method_that_is_not_there_has_no_code():
    assert code_of("nobody").method == ""
    assert len(code_of("cps").method) == len(code_of("cps").tool) == 16


def git(folder: Path, *words: str) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", folder, *names, *words], check=True, capture_output=True)


def version_in(checkout: Path) -> str:
    probe = (
        "import sys; sys.path.insert(0, sys.argv[1]); from benchmark import provenance; "
        "print(provenance.code_version())"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, checkout], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_new_method_that_nobody_committed_is_a_change(checkout):
    git(checkout, "init", "-q")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "all")
    assert "+g" in version_in(checkout) and "+changes" not in version_in(checkout)
    (checkout / "notes.txt").write_text("no code")
    assert "+changes" not in version_in(checkout)
    (checkout / "methods" / "mine.py").write_text(PLAIN)
    assert version_in(checkout).endswith("+changes")


def test_without_an_answer_of_git_the_version_says_so(checkout):
    (checkout / ".git").mkdir()
    assert version_in(checkout).endswith("+unknown")
    assert "+g" in provenance.code_version() or not (CHECKOUT / ".git").exists()


@pytest.fixture
def edited(study, monkeypatch):
    """A function: as if the code of a method, or of the tool, were another now."""
    from benchmark.study import sources

    def edit_code(method: str = "", tool: str | None = None) -> None:
        of_methods, of_tool = sources.method_code, sources.tool_code()
        changed = {method: "0123456789abcdef"}
        monkeypatch.setattr(
            sources, "method_code", lambda name: changed.get(name) or of_methods(name)
        )
        monkeypatch.setattr(sources, "tool_code", lambda: tool or of_tool)

    return edit_code


def test_trials_of_other_code_of_their_method_are_kept_named_and_run_again_if_asked(
    bench, study, edited
):
    edited("supervised")
    code, _, err = bench(*TINY_RUN)
    assert code == 0 and "all 2 trials are done" in err
    assert (
        "2 trials of supervised were made by other code of methods/supervised than there is now: "
        "kept; the same command with --rerun supervised runs them again"
    ) in err.replace("\n", " ")
    assert "2 of supervised made by other code of it than there is now" in bench("status")[1]
    _, out, _ = bench("report")
    assert "2 of 2 trials of supervised made by other code of it than there is now; bench" in out
    _, out, _ = bench(*TINY_RUN, "--dry-run", "--rerun", "supervised")
    assert "2 trials: 0 done, 2 to run" in out
    _, key = study
    code, _, _ = bench(*TINY_RUN, "--trial", key[0], "--rerun", "supervised")
    assert code == 0
    _, out, _ = bench(*TINY_RUN, "--dry-run", "--rerun", "supervised")
    assert "2 trials: 1 done, 1 to run" in out


def test_trials_of_other_code_of_the_tool_are_counted_once_and_kept(bench, study, edited):
    edited(tool="0123456789abcdef")
    _, _, err = bench(*TINY_RUN)
    assert err.count("2 of 2 trials made by other code of this tool than there is now: kept") == 1
    assert "--rerun" not in err


def test_of_unchanged_code_nothing_is_said(bench, study):
    _, _, err = bench(*TINY_RUN)
    assert "all 2 trials are done" in err and "other code" not in err
    assert "other code" not in bench("status")[1] + bench("report")[1]
    code, _, err = bench(*TINY_RUN, "--rerun", "cps")
    assert code == 2 and "--rerun must be one of supervised; got 'cps'" in err
