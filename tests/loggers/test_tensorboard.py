"""Event files, read back as TensorBoard reads them."""

import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.store.layout import trial_folder
from tests.grids import TINY_RUN, keys_of
from tests.loggers.conftest import row

pytest.importorskip("tensorboard", reason="tensorboard is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def read(folder: Path):
    """The one run below the folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what reads them
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (run,) = {file.parent for file in folder.rglob("events.out.*")}
    found = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    return run, found.Reload()


def curve(events, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_curves_and_pictures_of_a_trial_are_those_of_its_files(bench, data_root, tmp_path):
    (key, _) = keys_of(data_root, *TINY_RUN)
    code, out, _ = bench(*TINY_RUN, "--trial", key, "--log", "tensorboard")
    study = tmp_path / "results" / "demo"
    assert code == 0
    assert f"curves:  tensorboard --logdir {study}/logs/tensorboard\n" in out
    run, events = read(study / "logs" / "tensorboard")
    assert run.relative_to(study / "logs/tensorboard") == Path(
        "supervised/phantom_glas/5 %/seed 0", key[:8]
    )
    history = pd.read_csv(trial_folder(study, key) / "history.csv")
    for name, column in {
        "loss/supervised": "loss_supervised", "training/learning_rate": "learning_rate",
        "evaluation/dc_pooled": "dc_pooled", "oracle_threshold/ji_case": "best_ji_case",
    }.items():  # fmt: skip
        steps, values = zip(*curve(events, name), strict=True)
        assert steps == (2, 4)
        assert values == pytest.approx(history[column].tolist(), rel=1e-6)
    assert events.Tags()["images"] == [f"panel/testA_{i}" for i in (1, 10, 11, 12)]
    (shown,) = events.Images("panel/testA_1")
    with np.load(trial_folder(study, key) / "panel.npz") as panel:
        image = panel["image_0"]
    drawn = np.array(Image.open(io.BytesIO(shown.encoded_image_string)))
    assert shown.step == 4
    # Three pictures of 32 pixels, four times as large; the first is the image as it is.
    assert drawn.shape == (144, 392, 3)
    assert (drawn[16::4, :128:4] == image).all()
    assert not (trial_folder(study, key) / "logged.json").exists()


def test_a_trial_that_goes_on_has_each_step_once(curves, tmp_path):
    """What a killed worker wrote after the last step that is known to be written does not count."""
    killed, _ = curves("tensorboard")
    history = [row(1, 2.0), row(2, 1.0), row(3, 0.5)]
    killed.follow([])
    killed.follow(history[:1])
    noted = tmp_path / "study" / "trials" / "0123456789abcdef" / "logged.json"
    before = noted.read_text()
    killed.follow(history[:2])
    noted.write_text(before)
    again, lines = curves("tensorboard")
    again.follow(history[:1])
    again.follow(history[:2])
    again.follow(history)
    again.ended(is_done=True, results={"dc_pooled": 0.5})
    assert lines == []
    _, events = read(tmp_path / "study" / "logs")
    assert curve(events, "loss/ce") == [(5, 2.0), (10, 1.0), (15, 0.5)]
    assert curve(events, "results/dc_pooled") == [(15, 0.5)]


def test_one_that_starts_over_leaves_nothing_of_before(curves, tmp_path):
    for loss in (2.0, 1.0):
        made, _ = curves("tensorboard")
        made.follow([])
        made.follow([row(1, loss)])
    _, events = read(tmp_path / "study" / "logs")
    assert curve(events, "loss/ce") == [(5, 1.0)]
    assert "settings/text_summary" in events.Tags()["tensors"]
