"""Pictures of single cases, from what trials left."""

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import ExitCode, UserError
from benchmark.store.extremes import pictures

ROWS = pd.DataFrame(
    [
        {"key": key, "dataset": "glas", "budget": "5 %", "variant": variant, "seed": seed}
        for key, variant, seed in (("k1", "cps", 1), ("k0", "cps", 0), ("k2", "em", 0))
    ]
)
CPS = ("glas", "5 %", "cps")


def keep(study, key: str, name: str, cases: dict[str, int]) -> None:
    """A file of pictures: case → the grey that its image has."""
    folder = study / "trials" / key
    folder.mkdir(parents=True, exist_ok=True)
    content = {"case": np.array(list(cases))}
    for i, grey in enumerate(cases.values()):
        for kind in ("image", "target", "prediction"):
            content[f"{kind}_{i}"] = np.full((2, 2), grey, np.uint8)
    np.savez_compressed(folder / name, **content)


def test_a_case_comes_from_the_lowest_seed_that_kept_it(tmp_path):
    keep(tmp_path, "k0", "extremes.npz", {"a": 1, "b": 2})
    keep(tmp_path, "k1", "extremes.npz", {"b": 3, "c": 4})
    keep(tmp_path, "k1", "panel.npz", {"d": 5})
    found = pictures(tmp_path, ROWS, {CPS: ["a", "b", "c", "d", "e"]})
    assert list(found) == [CPS]
    told = {case: (int(own["image"][0, 0]), own["seed"]) for case, own in found[CPS].items()}
    assert told == {"a": (1, 0), "b": (2, 0), "c": (4, 1), "d": (5, 1)}


def test_no_more_is_opened_than_is_wanted(tmp_path):
    keep(tmp_path, "k0", "extremes.npz", {"a": 1})
    (tmp_path / "trials" / "k0" / "panel.npz").write_text("damaged")
    assert list(pictures(tmp_path, ROWS, {CPS: ["a"]})[CPS]) == ["a"]
    assert pictures(tmp_path, ROWS, {}) == {}
    with pytest.raises(UserError, match=r"panel\.npz is damaged") as caught:
        pictures(tmp_path, ROWS, {CPS: ["b"]})
    assert caught.value.exit_code == ExitCode.DATA
