"""Pairs of NAME.csv and NAME.yaml: read strictly, what is wrong with them said in a sentence."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from reports.published.paper import (
    DISTANCES,
    DRAWN,
    MEAN,
    METRICS,
    NONE,
    UNKNOWN,
    Distances,
    Paper,
    Printed,
    Protocol,
)

_NUMBERS = [f"{m}_{what}" for m in METRICS for what in ("mean", "ci90_half", "sd")] + [*DISTANCES]
_OF_A_ROW = ("selection", "network", "list", "own")  # columns that say a key's value of one row
_NEEDED = ("dataset", "labelled_percent", "method", "dc_mean", "dc_ci90_half")
_WORDS = ("table", "dataset", "labelled", "method", "class", *_OF_A_ROW, "source_line")
_COLUMNS = {"labelled_percent", *_WORDS, *_NUMBERS}

_BY_DATASET = ("selection", "aggregate", "evaluated_on", "size", "network")
_REQUIRED = ("paper", "runs", "plus_minus", "preset", *_BY_DATASET)
_OPTIONAL = (
    "source", "ci_level", "ddof", "lists", "classes", "mean_over", "distances", "own", "lineage",
    "trust", "notes",
)  # fmt: skip
_CHOICES = {
    "plus_minus": ("seeds", "cases", "patients", NONE),
    "ddof": (0, 1),
    "selection": ("final", "val", "oracle", UNKNOWN),
    "aggregate": ("pooled", "case", "patient", UNKNOWN),
    "evaluated_on": ("test", "val", "val+test", UNKNOWN),
    "mean_over": ("foreground", "all"),
    "trust": ("high", "low"),
}
_OF_DISTANCES = {
    "unit": ("voxels", "mm"),
    "hd95": ("joint", "directed"),
    "asd": ("joint", "directed", "to_truth"),
    "lost_class": ("zero", "diagonal", "other", UNKNOWN),
}
_SIZE = re.compile(rf"\d+(x\d+)+|{UNKNOWN}")


class Unreadable(ValueError):
    """Published results that are not as `results/README.md` describes them."""


def read(*folders: Path) -> list[Paper]:
    """Every pair of NAME.csv and NAME.yaml; of equal names in several folders, the last's.

    `Unreadable` names a pair that is not as described.
    """
    files = {file.name: file for folder in folders for file in sorted(folder.glob("*.csv"))}
    papers = []
    for file in files.values():
        about = file.with_suffix(".yaml")
        try:
            rows = _table(file)
            papers.append(_paper(file.stem, rows, yaml.safe_load(about.read_text("utf-8"))))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise Unreadable(
                f"the published results {file} with {about.name} are not as results/README.md "
                f"describes them: {error}"
            ) from error
    return papers


def _table(file: Path) -> pd.DataFrame:
    """The CSV: words as texts, "" where there is none; numbers, NaN where there is none."""
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    if missing := set(_NEEDED) - set(rows.columns):
        raise ValueError(f"it has no column {', '.join(sorted(missing))}")
    if further := set(rows.columns) - _COLUMNS:
        raise ValueError(f"nobody knows the column {', '.join(sorted(further))}")
    numbers = [c for c in rows if c in _NUMBERS or c == "labelled_percent"]
    rows[numbers] = rows[numbers].apply(pd.to_numeric)
    for column in ("dc_mean", "labelled_percent"):
        if not rows[column].between(0, 100).all():
            raise ValueError(f"{column} is in percent, 0 to 100, in every row")
    for column in set(_WORDS) - set(rows.columns):
        rows[column] = ""
    return rows


def _paper(name: str, rows: pd.DataFrame, about: Any) -> Paper:
    if not isinstance(about, dict):
        raise ValueError("the YAML is a table of keys")
    _require_keys(about)
    for key in ("plus_minus", "ddof", "trust"):
        _require_choice(key, about.get(key, _CHOICES[key][0]), _CHOICES[key])
    datasets = sorted(set(rows.dataset))
    by_dataset = {key: _of_each(key, about[key], datasets) for key in _BY_DATASET}
    by_dataset["mean_over"] = _of_some("mean_over", about, datasets, "foreground")
    by_dataset["classes"] = _of_some("classes", about, datasets, [])
    by_dataset["lists"] = _of_some("lists", about, datasets, UNKNOWN)
    _require_values(by_dataset)
    return Paper(
        name=name,
        paper=_sentence("paper", about["paper"]),
        rows=tuple(_printed(rows, by_dataset, _own(about.get("own", "all"), rows))),
        runs=_runs(about),
        plus_minus=about["plus_minus"],
        preset=_sentence("preset", about["preset"]),
        ci_level=_level(about, rows),
        ddof=about.get("ddof", 1),
        source=_sentence("source", about.get("source", "")),
        distances=_distances(about.get("distances")),
        lineage=_of_some("lineage", about, datasets, ""),
        is_trusted=about.get("trust", "high") == "high",
        notes=_notes(about, datasets),
    )


def _require_keys(about: Mapping[str, Any]) -> None:
    if unknown := [str(key) for key in about if key not in (*_REQUIRED, *_OPTIONAL)]:
        raise ValueError(f"nobody knows the key {', '.join(unknown)}")
    if missing := [key for key in _REQUIRED if key not in about]:
        raise ValueError(
            f"it has no key {', '.join(missing)}; {UNKNOWN} is a value where the source is silent"
        )


def _require_choice(key: str, value: Any, choices: Sequence[Any]) -> None:
    if value not in choices:
        raise ValueError(f"{key} must be one of {', '.join(map(str, choices))}; got {value!r}")


def _require_values(by_dataset: Mapping[str, Mapping[str, Any]]) -> None:
    """Of the keys that may say something else of each dataset."""
    for key, of_each in by_dataset.items():
        for value in of_each.values():
            if key in _CHOICES:
                _require_choice(key, value, _CHOICES[key])
            elif key == "size" and not _SIZE.fullmatch(str(value)):
                raise ValueError(f"size is written 128x128, or {UNKNOWN}; got {value!r}")
            elif key == "network":
                _sentence(key, value)
            elif key == "classes" and not _are_texts(value):
                raise ValueError(f"classes are a list of names for each dataset; got {value!r}")
            elif key == "lists" and not (value in (DRAWN, UNKNOWN) or isinstance(value, dict)):
                raise ValueError(
                    f"lists are {DRAWN}, {UNKNOWN}, or what is labelled → a list's name; got "
                    f"{value!r}"
                )


def _of_each(key: str, value: Any, datasets: list[str]) -> dict[str, Any]:
    """One value for all, or a table by dataset, which must then have each."""
    found = _of_some(key, {key: value}, datasets, None)
    if missing := [name for name in datasets if found[name] is None]:
        raise ValueError(f"{key} says nothing of {', '.join(missing)}")
    return found


def _of_some(
    key: str, about: Mapping[str, Any], datasets: list[str], default: Any
) -> dict[str, Any]:
    """One value for all, or a table by dataset; the default for those that it does not have."""
    value = about.get(key, default)
    if not isinstance(value, dict):
        return dict.fromkeys(datasets, value)
    if strange := [str(name) for name in value if name not in datasets]:
        raise ValueError(f"{key} names {', '.join(strange)}, of which the CSV has no row")
    return {name: value.get(name, default) for name in datasets}


def _sentence(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} is a text; got {value!r}")
    return value


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _runs(about: Mapping[str, Any]) -> int | None:
    runs, is_spread = about["runs"], about["plus_minus"] == "seeds"
    if runs == UNKNOWN and not is_spread:
        return None
    least = 2 if is_spread else 1
    if not isinstance(runs, int) or isinstance(runs, bool) or runs < least:
        raise ValueError(
            f"runs are a number, or {UNKNOWN}; 2 or more where ± is over seeds; got {runs!r}"
        )
    return runs


def _level(about: Mapping[str, Any], rows: pd.DataFrame) -> float | None:
    """The level of printed half widths, which only ± over seeds has."""
    level = about.get("ci_level")
    has_width = any(rows[c].notna().any() for c in rows if c.endswith("_ci90_half"))
    if about["plus_minus"] != "seeds":
        if level is not None or "ddof" in about:
            raise ValueError("ci_level and ddof belong to plus_minus: seeds")
        return None
    if has_width != (level is not None):
        raise ValueError("ci_level is the level of the half widths in *_ci90_half: both, or none")
    if level is not None and not (isinstance(level, float) and 0 < level < 1):
        raise ValueError(f"ci_level lies between 0 and 1; got {level!r}")
    return level


def _distances(value: Any) -> Distances | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != set(_OF_DISTANCES):
        raise ValueError(f"distances have the keys {', '.join(_OF_DISTANCES)}; got {value!r}")
    for key, choices in _OF_DISTANCES.items():
        _require_choice(f"distances: {key}", value[key], choices)
    return Distances(**value)


def _own(value: Any, rows: pd.DataFrame) -> set[str]:
    """The methods whose rows are the paper's own."""
    methods = set(rows.method)
    if value == "all":
        return methods
    if not _are_texts(value) or not set(value) <= methods:
        raise ValueError(f"own is all, or a list of methods of the CSV; got {value!r}")
    return set(value)


def _notes(about: Mapping[str, Any], datasets: list[str]) -> dict[str, list[str]]:
    found = _of_some("notes", about, datasets, [])
    for value in found.values():
        if not _are_texts(value):
            raise ValueError(f"notes are a list of sentences; got {value!r}")
    return found


def _printed(
    rows: pd.DataFrame, by_dataset: Mapping[str, Mapping[str, Any]], own: set[str]
) -> Iterator[Printed]:
    """The rows of one result, a class each, as one."""
    apart = ["table", "dataset", "labelled_percent", "labelled", "method", *_OF_A_ROW]
    results: dict[tuple, dict[str, dict[str, float]]] = {}
    for line in rows.to_dict("records"):
        of_class = results.setdefault(tuple(line[name] for name in apart), {})
        name = line["class"] or MEAN
        if name in of_class:
            where = f"{line['dataset']} at {line['labelled'] or line['labelled_percent']}"
            raise ValueError(f"{line['method']} on {where} twice: {line['table']}")
        of_class[name] = {column: float(line.get(column, math.nan)) for column in _NUMBERS}
    for key, of_class in results.items():
        table, dataset, percent, labelled, method, selection, network, listed, owned = key
        if len(of_class) == 1:  # of a single class
            of_class = {MEAN: next(iter(of_class.values()))}
        said = {name: values[dataset] for name, values in by_dataset.items()}
        _require_choice("selection", selection or said["selection"], _CHOICES["selection"])
        _require_choice("own", owned, ("", "yes", "no"))
        yield Printed(
            table=table,
            dataset=dataset,
            method=method,
            labelled_percent=float(percent),
            labelled=labelled,
            is_own=method in own if not owned else owned == "yes",
            scores=of_class,
            named_network=network,
            protocol=Protocol(
                selection=selection or said["selection"],
                aggregate=said["aggregate"],
                evaluated_on=said["evaluated_on"],
                size=said["size"],
                network=network or said["network"],
                labelled_list=listed or _list_of(said["lists"], labelled),
                mean_over=said["mean_over"],
                classes=tuple(said["classes"]),
            ),
        )


def _list_of(lists: str | Mapping[str, str], labelled: str) -> str:
    return lists if isinstance(lists, str) else str(lists.get(labelled, UNKNOWN))
