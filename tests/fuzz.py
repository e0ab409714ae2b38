"""Generated damage: what a stranger's files and a slip of the hand do to `bench`.

    python -m tests.fuzz [--count 10000] [--kinds record,card] [--seed 0]

Each input ends in success, or in a sentence with an exit code: no traceback, nothing written
outside its folder, no wait without end. `tests/test_fuzz.py` runs a few hundred of them.
"""

import argparse
import contextlib
import copy
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import hypothesis
import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from benchmark.cli import main
from benchmark.errors import ExitCode
from tests import own_data
from tests.grids import TINY_RUN

LIMIT = 60  # seconds of a command, after which it is said to wait without end
RUN = (*TINY_RUN, "--datasets", "ours3", "--labels", "3cases", "--seeds", "1", "size=[16,16]")
_ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(),
    st.sampled_from([
        "", " ", "..", "../../evil", "/etc/passwd", "nan", "1e400", "a\x00b", "\x1b[2J", "é" * 300,
        "=1+1", "-1", "0", "1/0", "true", "[", "{", "$x", "\u202e", "ours3", "unet", "test",
        2**63, -(2**63), 10**400, 1e308, -0.0, [], {}, [[]], {"": None}, ["a"] * 50,
    ]),
    st.text(max_size=12),
    st.lists(st.integers(-2, 300), max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip
"""Values that no file of the tool has in the place where they are put."""


@dataclass(frozen=True)
class Kind:
    """A file that is damaged, and the commands that read it."""

    file: str
    """Within the sandbox."""
    commands: Sequence[Sequence[str]]
    """`{key}`: of the trial; `{x}`: a place to write to."""
    form: str = "bytes"
    """json, yaml: also damaged value by value."""


_STUDY = ("--results", "results")
_DATA = ("--data-root", "data")
KINDS: Mapping[str, Kind] = {
    "record": Kind(
        "results/demo/trials/{key}/record.json",
        [
            ("status", *_STUDY),
            ("report", *_STUDY),
            ("show", "{key}", *_STUDY),
            ("report", "--table", "all", *_STUDY),
            ("merge", "results/demo", "--into", "{x}"),
            ("report", "--format", "latex", *_STUDY),
            (*RUN, *_DATA, *_STUDY, "--dry-run", "-v"),
        ],
        "json",
    ),
    "manifest": Kind(
        "data/ours3/manifest.json",
        [
            ("list", "datasets", *_DATA),
            ("data", "check", "ours3", *_DATA),
            (*RUN, *_DATA, *_STUDY, "--dry-run"),
            ("evaluate", "demo", "--on", "ours3", *_DATA, *_STUDY),
        ],
        "json",
    ),
    "arrays": Kind(
        "data/ours3/masks.npy",
        [
            ("data", "check", "ours3", *_DATA),
            (*RUN, *_DATA, *_STUDY, "--dry-run"),
            ("evaluate", "demo", "--on", "ours3", *_DATA, *_STUDY),
        ],
    ),
    "card": Kind(
        "ours3.yaml",
        [("data", "prepare", "ours3.yaml", "--from", "files", "--data-root", "{x}")],
        "yaml",
    ),
    "study": Kind(
        "results/demo/study.yaml",
        [
            ("run", "--preset", "results/demo/study.yaml", *_DATA, *_STUDY, "--dry-run"),
            ("status", *_STUDY),
            ("report", *_STUDY),
            ("show", "{key}", *_STUDY),
        ],
        "yaml",
    ),
    "names": Kind("names.yaml", [("report", "--names", "names.yaml", *_STUDY)], "yaml"),
    "weights": Kind(
        "results/demo/trials/{key}/weights.safetensors",
        [("predict", "{key}", *_STUDY, "--images", "files/test/image", "--out", "{x}")],
    ),
    "cases": Kind(
        "results/demo/trials/{key}/cases.csv",
        [("report", "--table", "all", *_STUDY), ("report", "--ci", "cases", *_STUDY)],
    ),
    "history": Kind(
        "results/demo/trials/{key}/history.csv", [("report", "--format", "html", *_STUDY)]
    ),
    "image": Kind(
        "files/test/image/p9_0.png",
        [
            ("data", "prepare", "ours3.yaml", "--from", "files", "--data-root", "{x}"),
            ("predict", "{key}", *_STUDY, "--images", "files/test/image", "--out", "{x}"),
        ],
    ),
}
"""What is damaged on disk."""
COMMAND_LINE = "words"
"""The kind that damages no file, but what is typed."""
_ENDLESS = {("doctor",), ("check",), ("export",), ("verify",)}
"""Verbs that start Ray or train, whatever is typed."""


class Sandbox:
    """A study of one trial, its data and its files, in a folder within an otherwise empty one."""

    def __init__(self, template: Path, key: str):
        self.key = key
        self.around = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self.folder = self.around / "a" / "b"
        shutil.copytree(template, self.folder)
        self._before = self._outside()

    def __enter__(self) -> "Sandbox":
        self._was = Path.cwd()
        os.chdir(self.folder)
        return self

    def __exit__(self, *_) -> None:
        os.chdir(self._was)
        shutil.rmtree(self.around, ignore_errors=True)

    def run(self, words: Sequence[str]) -> int:
        """Exit code of one command; AssertionError for all that it may not do."""
        words = [word.replace("{key}", self.key).replace("{x}", "new") for word in words]
        code, told = called(words)
        assert code in set(ExitCode), f"{words}: exit code {code}\n{told}"
        if not {"-v", "--verbose"} & {*words}:  # which show where a mistake was found
            assert "Traceback" not in told, f"{words}\n{told}"
        if code not in (ExitCode.DONE, ExitCode.SOME_TRIALS_FAILED):
            assert "error" in told.lower() or "usage" in told.lower(), f"{words}: {code}\n{told}"
        assert "\x1b[2J" not in told, f"{words}: steers a terminal\n{told!r}"
        assert self._outside() == self._before, f"{words}: wrote outside of its folder"
        return code

    def _outside(self) -> set[Path]:
        return {path for path in self.around.rglob("*") if not path.is_relative_to(self.folder)} | {
            self.around / "a",
            self.folder,
        }


def called(words: Sequence[str]) -> tuple[int, str]:
    """Exit code and all that a command prints, in this process."""

    def late(*_) -> None:
        raise AssertionError(f"{words}: not ended after {LIMIT} s")

    told = io.StringIO()
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = main.guarded(lambda: main.app(list(words), standalone_mode=False))
    except SystemExit as leaving:
        code = leaving.code or 0
    except AssertionError:
        raise
    except BaseException as error:
        trace = "".join(traceback.format_exception(error)[-8:])
        raise AssertionError(f"{words}: {type(error).__name__}\n{trace}") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return int(code), told.getvalue()


@contextlib.contextmanager
def template() -> Iterator[tuple[Path, str]]:
    """What is damaged: a folder with a study of one trial, its data, and its key."""
    with tempfile.TemporaryDirectory(prefix="fuzz-template-") as place:
        folder = Path(place)
        own_data.write(folder)
        names = {"datasets": {"ours3": "Ours"}, "methods": {"supervised": "Baseline"}}
        (folder / "names.yaml").write_text(yaml.safe_dump(names))
        was = Path.cwd()
        os.chdir(folder)
        try:
            assert called(["data", "prepare", "ours3.yaml", "--from", "files", *_DATA])[0] == 0
            listed = called([*RUN, *_DATA, *_STUDY, "--dry-run", "-v"])[1].splitlines()
            key = next(line.split()[0] for line in listed if line.startswith("  "))
            code, told = called([*RUN, *_DATA, *_STUDY, "--save", "weights", "--trial", key])
            assert code == 0, told
        finally:
            os.chdir(was)
        yield folder, key


def inputs(kind: str) -> st.SearchStrategy:
    """Of a kind of file: commands and ways to damage; of the command line: words."""
    if kind == COMMAND_LINE:
        return _words()
    found = KINDS[kind]
    damages = [_damaged_bytes()] + [_damaged_values()] * (3 if found.form != "bytes" else 0)
    return st.tuples(st.sampled_from(found.commands), st.one_of(damages))


def tried(kind: str, given: Any, folder: Path, key: str) -> int:
    """Exit code of one input in a sandbox of its own; AssertionError for what may not be."""
    with Sandbox(folder, key) as sandbox:
        if kind == COMMAND_LINE:
            return sandbox.run(given)
        words, damage = given
        found = KINDS[kind]
        file = Path(found.file.replace("{key}", key))
        file.write_bytes(damage(file.read_bytes(), found.form))
        return sandbox.run(words)


_Damage = Callable[[bytes, str], bytes]


def _damaged_bytes() -> st.SearchStrategy[_Damage]:
    """Cut, overwritten, or with bytes put in."""

    def made(at: float, how: str, put: bytes) -> _Damage:
        def damage(content: bytes, form: str) -> bytes:
            i = int(at * len(content))
            if how == "cut":
                return content[:i]
            return content[:i] + put + content[i + (len(put) if how == "over" else 0) :]

        return damage

    return st.builds(
        made, st.floats(0, 1), st.sampled_from(["cut", "over", "in"]), st.binary(max_size=8)
    )


def _damaged_values() -> st.SearchStrategy[_Damage]:
    """One to three values of a mapping replaced, removed, renamed or added."""
    change = st.tuples(
        st.sampled_from(["set", "set", "set", "drop", "rename", "add"]),
        st.integers(0, 2**16),
        _ODD,
    )
    return st.builds(_changing, st.lists(change, min_size=1, max_size=3))


def _changing(changes: list[tuple[str, int, Any]]) -> _Damage:
    def damage(content: bytes, form: str) -> bytes:
        tree = json.loads(content) if form == "json" else yaml.safe_load(content)
        for how, at, value in changes:
            places = [*_places(tree)]
            if places:
                _change(*places[at % len(places)], how, value)
        if form == "json":
            return json.dumps(tree).encode("utf-8", "surrogatepass")
        return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")

    return damage


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in [*keys]:
        yield tree, key
        yield from _places(tree[key])


def _change(holder: Any, key: Any, how: str, value: Any) -> None:
    value = copy.deepcopy(value)  # or a list could come to lie in itself
    if how == "drop":
        del holder[key]
    elif how == "rename" and isinstance(holder, dict):
        holder[str(value)] = holder.pop(key)
    elif how == "add" and isinstance(holder, dict):
        holder[f"{key}{value}"] = value
    else:
        holder[key] = value


def _words() -> st.SearchStrategy[list[str]]:
    """A verb with some of its options, or of others', and values that may be odd."""
    verbs = {words: verb for words, verb in main.verbs() if words not in _ENDLESS}
    options = {o: p for verb in verbs.values() for p in verb.params for o in p.opts if o[0] == "-"}
    usual = st.sampled_from([
        "supervised", "cps", "all", "ours[rounds=1]", "cps[weight=0.5]", "ours3", "5", "5%", "2",
        "demo", "cpu", "3cases", "list:ssl4mis-7", "dc", "latex", "0.5", "results", "data", "files",
        "ours3.yaml", "results/demo", "size=[16,16]", "training.epochs=2", "network.widths=[4,8]",
    ])  # fmt: skip
    value = st.one_of(usual, _ODD.map(str).filter(lambda text: "\x00" not in text))

    def option(name: str) -> st.SearchStrategy[list[str]]:
        if getattr(options[name], "is_flag", False):
            return st.just([name])
        return value.map(lambda text: [name, text])

    def line(words: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
        own = [o for p in verbs[words].params for o in p.opts if o[0] == "-"] or ["--help"]
        typed = st.sampled_from(own).flatmap(option) | st.sampled_from([*options]).flatmap(option)
        parts = st.lists(typed | value.map(lambda text: [text]), max_size=4)
        return parts.map(lambda found: [*words, *chain(*found), *_harmless(words)])

    return st.sampled_from([*verbs]).flatmap(line)


def _harmless(words: tuple[str, ...]) -> list[str]:
    """What keeps a command that was typed correctly from training for an hour."""
    return ["--dry-run"] if words in (("run",), ("tune",)) else []


def fuzz(
    kind: str, count: int, folder: Path, key: str, seed: int | None = None
) -> Counter[ExitCode]:
    """How so many inputs of a kind ended; AssertionError for one that does what it may not.

    seed: None tries the same ones each time.
    """

    ends: Counter[ExitCode] = Counter()

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=seed is None,
        suppress_health_check=[*HealthCheck], print_blob=False,
    )  # fmt: skip
    @hypothesis.given(inputs(kind))
    def attempt(given: Any) -> None:
        ends[ExitCode(tried(kind, given, folder, key))] += 1

    (attempt if seed is None else hypothesis.seed(seed)(attempt))()
    return ends


def _main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--kinds", default=",".join([*KINDS, COMMAND_LINE]))
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    kinds, failed = given.kinds.split(","), 0
    with template() as (folder, key):
        for kind in kinds:
            started = time.monotonic()
            try:
                ends = fuzz(kind, given.count // len(kinds), folder, key, given.seed)
                said = ", ".join(f"{n} × {code.name.lower()}" for code, n in ends.most_common())
            except (AssertionError, ExceptionGroup) as error:  # a group: not so when tried again
                failed, said = failed + 1, f"FOUND\n{error}"
            print(f"{kind}: {time.monotonic() - started:.0f} s: {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(_main())
