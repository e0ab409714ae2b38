"""From the records of a study to a report; what it cannot be made of is said."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.options import say
from benchmark.errors import ExitCode, UserError, unknown

if TYPE_CHECKING:
    from pandas import DataFrame

    from benchmark.store.record_file import Found
    from reports.filters import Filter
    from reports.report import Options, Report, Sources
    from reports.select import Reading


class NothingDone(UserError):
    """No trial is finished, or none of those that were asked for."""


def made(
    folder: Path,
    options: "Options",
    wanted: "Filter | None" = None,
    configurations: set[str] | None = None,
) -> "Report":
    """The report of a study; raises `NothingDone`, and what else there is too little for.

    configurations: of the trials that are shown; None: all.
    """
    from benchmark.store import record_file
    from reports.names import Alike
    from reports.report import Report

    there = record_file.survey(folder)
    trials, damaged = _trials(folder, there, options)
    _name_unused(trials, options)
    if configurations is not None:
        trials = trials[trials.configuration.isin(configurations)]
    trials, left_out = _filtered(trials, wanted)
    done = trials[trials.status == "done"]
    if options.evaluate_on is not None:
        done = done[done.evaluate_on == options.evaluate_on]
    if done.empty:
        for note in there.notes:
            say(note, err=True)
        raise NothingDone(_nothing_done(folder, trials, options.evaluate_on), ExitCode.STATISTICS)
    _require_reading(done, options.reading)
    if options.control is not None and options.control not in set(done.variant):
        raise unknown("finished trial of the control", options.control, set(done.variant))
    try:
        return Report(trials, options, _sources(folder, there, damaged), left_out)
    except Alike as error:
        raise UserError(f"names file: {error}") from error


def published_listing(results_root: Path, verbose: bool) -> list[str]:
    """The published results that there are, for `bench list`: only this room knows `reports`."""
    from reports.published.listing import listing
    from reports.published.read import Unreadable, read

    try:
        return listing(read(*_published_in(results_root)), verbose)
    except Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error


def published_methods(results_root: Path) -> dict[str, list[str]]:
    """Method → the published tables that have rows of it, for `bench list`."""
    from reports.published.listing import by_method
    from reports.published.read import Unreadable, read

    try:
        return by_method(read(*_published_in(results_root)))
    except Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error


def _trials(folder: Path, there: "Found", options: "Options") -> tuple["DataFrame", list[str]]:
    """A line a trial and further test set; and a line for each file of these that is damaged."""
    from benchmark.store import datasets, tables, test_sets

    trials = tables.trials(datasets.with_units(folder, there.records))
    damaged: list[str] = []
    if options.reading.ci == "seeds":  # cases of further test sets are not crossed with seeds
        trials, damaged = test_sets.with_test_sets(folder, trials)
    return _without_folds(folder, trials), damaged


def _without_folds(folder: Path, trials: "DataFrame") -> "DataFrame":
    """A fold is a handful of labelled images, and several of them share a seed: no table's row."""
    from benchmark.store.tuning import FILE

    is_fold = trials.evaluate_on.str.startswith("fold ")
    if n := int(is_fold.sum()):
        say(
            f"{n} trials on folds of labelled images not shown: {folder / FILE} has what they came "
            "to, and the same bench tune prints it",
            err=True,
        )
    return trials[~is_fold]


def _name_unused(trials: "DataFrame", options: "Options") -> None:
    """What a names file has and the study has not may be a mistake."""
    from reports.names import unused

    names = unused(trials, options.names) if options.names is not None else []
    if names:
        say(f"not in this study, so not used: {', '.join(names)} of the names file", err=True)


def _filtered(trials: "DataFrame", wanted: "Filter | None") -> tuple["DataFrame", list[str]]:
    from reports.filters import Absent, filtered

    if wanted is None:
        return trials, []
    try:
        return filtered(trials, wanted)
    except Absent as error:
        raise UserError(str(error)) from error


def _sources(folder: Path, there: "Found", damaged: list[str]) -> "Sources":
    """Where the report gets what the table of trials does not hold."""
    from benchmark.cli import footnotes
    from benchmark.store import tables
    from reports.published.read import read
    from reports.report import Sources
    from reports.tables import footers

    return Sources(
        cases=partial(tables.cases, folder),
        case_scores=partial(tables.stacked, folder, name="cases.csv"),
        pretrainings=partial(tables.pretrainings, folder),
        notes=lambda rows: [
            *footnotes.of(folder, rows, there.records),
            *footers.older(rows, _code_of),
            *there.notes,
            *damaged,
        ],
        papers=partial(read, *_published_in(folder.parent)),
        expected=_expected,
    )


def _published_in(results_root: Path) -> tuple[Path, Path]:
    """The tool's published results, and the user's own."""
    from benchmark import files

    return files.packaged("results/published"), results_root / "published"


def _code_of(method: str) -> str:
    from benchmark.study import sources

    return sources.method_code(method)


def _expected(preset: str, trial: Mapping[str, Any]) -> dict[str, Any] | None:
    """Imported when a trial is compared with its preset: it needs the methods, and they PyTorch."""
    from benchmark.study.expected import expected_settings

    return expected_settings(preset, trial)


def _nothing_done(folder: Path, trials: "DataFrame", evaluate_on: str | None) -> str:
    from reports.comparable import reasons

    where = f" evaluated on {evaluate_on}" if evaluate_on else ""
    text = f"no finished trial{where} in {folder} yet"
    failed = trials[trials.status == "failed"]
    if len(failed):
        text += f"; {len(failed)} failed: {reasons(failed)}. bench status names them"
    return text


def _require_reading(done: "DataFrame", reading: "Reading") -> None:
    from reports.comparable import with_reading

    if reading.of_class:
        _require_class(done, reading)
    if with_reading(done, reading).rows.empty:
        what = f"--selection {reading.selection} --aggregate {reading.aggregate}"
        raise UserError(
            f"{what}: none of these trials has that. val needs data with a validation set (a "
            "folder val/, or val_ids in the card); patient needs to know whose each case is (the "
            "card's group)",
            ExitCode.STATISTICS,
        )
    if reading.interval == "bootstrap":
        _require_many_seeds(done)


def _require_class(done: "DataFrame", reading: "Reading") -> None:
    from reports.select import classes_of

    known = {name for names in classes_of(done).values() for name in names}
    if reading.of_class not in known:
        raise unknown("class of several", reading.of_class, known, "--table classes shows them")
    if reading.ci != "seeds":
        raise UserError("--class has intervals over seeds alone: leave --ci out")


def _require_many_seeds(done: "DataFrame") -> None:
    from reports.stats.intervals import MIN_RESAMPLED

    most = int(done.groupby("configuration").seed.nunique().max())
    if most < MIN_RESAMPLED:
        raise UserError(
            f"--interval bootstrap needs {MIN_RESAMPLED} seeds, there are {most} at most: with few "
            "it is too narrow. --interval t holds for few",
            ExitCode.STATISTICS,
        )
