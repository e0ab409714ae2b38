"""The commands that a page names, read from the records of the trials that it shows."""

import pandas as pd

from benchmark.cli.origins import commands, of
from benchmark.data.split.budget import Budget


def rows(**changes) -> pd.DataFrame:
    """Two methods on a dataset with two seeds."""
    return pd.DataFrame(
        [
            {
                "key": f"{variant}{seed}", "preset": "cpu", "overrides": "training.epochs=5",
                "evaluate_on": "test", "dataset": "glas", "budget": Budget.of_share(0.05),
                "variant": variant, "seed": seed, "settings": {}, **changes,
            }
            for variant in ("cps[weight=0.5]", "em")
            for seed in (0, 1)
        ]
    )  # fmt: skip


def test_a_command_runs_the_trials_that_are_shown():
    assert commands("first", rows()) == [
        "bench run --preset cpu --study first --datasets glas --methods 'cps[weight=0.5],em' "
        "--labels 5% --seeds 2 training.epochs=5"
    ]


def test_what_is_not_the_usual_is_in_the_command():
    settings = {"val_as": "train", "unlabelled": "50 %"}
    (command,) = commands("a", rows(evaluate_on="dev", overrides="", settings=settings))
    assert command.endswith("--seeds 2 --evaluate-on dev --val-as train --unlabelled 50%")
    of_one_subset = rows(overrides="").assign(subset_seed=[None, 0, None, 0])
    (command,) = commands("a", of_one_subset)
    assert command.endswith("--seeds 2 --vary weights")
    crossed = pd.concat([rows(subset_seed=0), rows(subset_seed=1)])
    (command,) = commands("a", crossed.assign(overrides=""))
    assert command.endswith("--seeds 2 --vary cross")


def test_each_preset_with_its_overrides_has_a_command_and_further_test_sets_none():
    further = rows(dataset="other").assign(key="abc/other")
    found = commands("a", pd.concat([rows(), rows(preset="paper", overrides=""), further]))
    assert [line.split()[3] for line in found] == ["cpu", "paper"]
    assert "other" not in "".join(found)


def test_there_is_a_log_where_a_failed_trial_left_one(tmp_path):
    log = tmp_path / "trials" / "em0" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("out of memory")
    trials = rows().assign(status=["done", "done", "failed", "failed"])
    found = of(tmp_path, trials[:2], trials)
    assert found["logs"] == {"em0": str(log)} and found["settings"] == ""
    (tmp_path / "study.yaml").write_text("")
    assert of(tmp_path, trials[:2], trials)["settings"] == str(tmp_path / "study.yaml")
