"""What `--help` prints of every verb: all of it, as it was written."""

import inspect
import re
import shlex
from collections.abc import Iterator

import pytest
import typer

from benchmark.cli import main

ROOT = typer.main.get_command(main.app)


def commands(command=ROOT, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    yield words, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, (*words, name))


VERBS = dict(commands())


def plain(text: str) -> str:
    """Without line breaks and what stands for them in a terminal."""
    return re.sub(r"\s+", " ", text)


def test_every_verb_is_there():
    names = {" ".join(words) for words in VERBS}
    assert names == {
        "", "run", "tune", "list", "report", "status", "show", "verify", "evaluate", "merge",
        "predict", "export", "doctor", "data", "check", "new", "new method", "new dataset",
        "data prepare",
        "data check", "data subsets", "data synth", "data lists",
    }  # fmt: skip


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_prints_every_text_whole(words, bench):
    """Brackets too, which a markup interpreter would swallow."""
    code, out, _ = bench(*words, "--help") if words else bench("--help")
    assert code == 0
    shown = plain(out)
    for parameter in VERBS[words].params:
        if help_text := getattr(parameter, "help", None):
            assert plain(help_text) in shown, f"{parameter.name}: {help_text}"
    assert plain(inspect.cleandoc(VERBS[words].help or "")).split(".")[0] in shown


def test_defaults_in_brackets_are_seen(bench):
    out = plain(bench("run", "--help")[1])
    for text in ('"cps[weight=0.5]"', "[the preset's]", "[as many as fit]", "[KEY=VALUE]..."):
        assert text in out


LEAVES = [words for words, command in VERBS.items() if not hasattr(command, "commands")]


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_the_examples_of_a_verb_can_be_typed(words, bench, monkeypatch):
    """Each is of the verb, or follows it, and none is broken into lines."""
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = bench(*words, "--help")
    lines = [line.strip() for line in out.partition("Examples:\n")[2].splitlines() if line.strip()]
    assert lines and lines[0].startswith(" ".join(("bench", *words)))
    for line in lines:
        _, *typed = shlex.split(line.partition(" > ")[0])
        verb = next(w for w in LEAVES if tuple(typed[: len(w)]) == w)
        VERBS[verb].make_context(" ".join(verb), typed[len(verb) :])


@pytest.mark.parametrize("words", ["--help", "data --help"])
def test_verbs_are_listed_in_whole_sentences(words, bench, monkeypatch):
    """At the width of any terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = bench(*words.split())
    listed = out.partition("Commands:")[2].partition("Examples:")[0].strip().splitlines()
    assert len(listed) >= 4
    assert not [line for line in listed if not line.endswith((".", "?"))]
    assert "..." not in "".join(listed)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_verb_and_its_options_are_explained(words):
    command = VERBS[words]
    assert command.help and command.help[0].isupper()
    for parameter in command.params:
        assert getattr(parameter, "help", ""), f"{' '.join(words)}: explain {parameter.name}"


def test_the_help_names_every_table_test_and_preset(bench):
    from benchmark.study import preset_files
    from reports.report import TABLES
    from reports.stats.significance import TESTS

    out = plain(bench("report", "--help")[1])
    assert all(name in out for name in (*TABLES, *TESTS))
    assert all(name in plain(bench("run", "--help")[1]) for name in preset_files.texts())
