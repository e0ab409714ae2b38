"""The words that a user sees: those of the glossary, and none of the old ones."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

PAGES = sorted(
    [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md"), CHECKOUT / "results/README.md"]
)
CODE = sorted(
    f for package in ("benchmark", "methods", "reports") for f in (CHECKOUT / package).rglob("*.py")
)
YAML = sorted([*CHECKOUT.glob("datasets/*.yaml"), *CHECKOUT.glob("benchmark/study/conf/*.yaml")])
OLD = {
    r"(?<!standard )(?<!standard\n)\bdeviations?\b": "standard deviation",
    r"\binvent(?:ed|s)\b": "synthetic images; made up",
    r"\bfigures? of (?:each|a|the) (?:case|trial|cell)\b": "scores: figures are drawings",
    r"\b(?:printed|published|per-case|pooled) figures?\b": "results: figures are drawings",
    r"\bin one heap\b": "pooled",
    r"\btyped over\b": "command-line overrides",
    r"\bdrawn anew\b": "resampled",
    r"\bin earnest\b|\bIn earnest\b": "for real results",
    r"\bdoes as well as\b": "works too",
    r"\bthere is nothing at\b": "no such file or folder",
    r"\btoo few runs beside\b": "fewer runs than",
    r"\bnot told apart\b|\bis told apart from\b": "does not differ significantly",
    r"\bis one of\b": "must be one of",
    r"(?<![\w-])--cell\b": "--trial",
    r"\b1 trials\b": "1 trial",
    r"\bs in all\b|\bone empty\b": "total s; one mask empty",
}
ALLOWED = {("CHANGELOG.md", "--cell"), ("CHANGELOG.md", "deviation")}


def strings_of(file: Path) -> list[str]:
    """What the code may show: its strings, but for docstrings that no verb prints."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    hidden = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for one in body if isinstance(body, list) else []:
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                hidden.add(id(one.value))
    if file.parent.name in ("methods", "cli"):  # their docstrings are printed
        hidden = set()
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in hidden
    ]


@pytest.mark.parametrize("file", [*PAGES, *CODE, *YAML], ids=lambda f: str(f.relative_to(CHECKOUT)))
def test_no_old_word_is_left(file):
    texts = strings_of(file) if file.suffix == ".py" else [file.read_text(encoding="utf-8")]
    found = [
        f"{match[0]!r} in {text[max(0, match.start() - 40) : match.end() + 40]!r}: say {better}"
        for text in texts
        for old, better in OLD.items()
        for match in re.finditer(old, text)
        if (file.name, match[0]) not in ALLOWED
    ]
    assert not found, "\n".join(found)


def test_the_texts_are_found():
    assert len(PAGES) >= 8 and len(CODE) > 80 and len(YAML) == 17
    assert any(
        "How much is labelled" in text for text in strings_of(CHECKOUT / "benchmark/cli/options.py")
    )


def test_the_glossary_explains_eleven_words_and_is_linked():
    glossary = (CHECKOUT / "docs/glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| ([a-z ]+) \|", glossary, re.M)[1:]
    assert words == [
        "study", "trial", "variant", "key", "budget", "list", "train pool", "floor", "control",
        "oracle", "record",
    ]  # fmt: skip
    assert "(docs/glossary.md)" in (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_what_a_contributor_is_told_is_there():
    """Every module that CONTRIBUTING.md names exists, and it names every room."""
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ways = text.partition("## The way through")[2].partition("## Where things")[0]
    named = re.findall(r"`((?:benchmark\.)?[a-z_]+\.[a-z_]+)`", ways)
    assert len(named) > 20
    for module in named:
        path = module.removeprefix("benchmark.").replace(".", "/")
        places = [CHECKOUT / "benchmark" / path, CHECKOUT / path]
        assert any(p.with_suffix(".py").is_file() or p.is_dir() for p in places) or (
            module == "results.csv"
        ), module
    for room in (d for d in (CHECKOUT / "benchmark").iterdir() if (d / "__init__.py").is_file()):
        assert f"`benchmark/{room.name}/`" in text


def test_the_version_is_one():
    import benchmark

    citation = (CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {benchmark.__version__}\n" in citation
    changes = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.M)[1] == benchmark.__version__
