"""A panel as pictures, pixel by pixel."""

import numpy as np

from benchmark.loggers.pictures import sheets

GREY = np.full((128, 128, 1), 100, np.uint8)


def test_masks_are_drawn_over_the_image_and_others_stand_beside_it():
    """A square of 4 × 4 pixels: 12 of them are its outline. Inside a quarter is the colour:
    (230, 159, 0) / 4 + 3/4 · 100 = (132.5, 114.75, 75); of halves the even number is next.
    """
    mask = np.zeros((128, 128), np.uint8)
    mask[10:14, 20:24] = 1
    other = np.full((128, 128, 3), (1, 2, 3), np.uint8)
    panel = {
        "case": np.array(["a"]), "image_0": GREY, "target_0": mask, "prediction_0": 0 * mask,
        "remade_0": other,
    }  # fmt: skip
    (sheet,) = sheets(panel).values()
    assert list(sheets(panel)) == ["panel/a"]
    # Three columns and two lines, of 128 pixels beneath 16 of a caption, with gaps of 4.
    assert sheet.shape == (288, 392, 3)
    image, target, prediction = (sheet[16:144, x : x + 128] for x in (0, 132, 264))
    assert (image == 100).all() and (prediction == 100).all()
    assert (sheet[160:288, :128] == (1, 2, 3)).all()
    assert (target == (230, 159, 0)).all(-1).sum() == 12
    assert (target[11:13, 21:23] == (132, 115, 75)).all()
    assert (target == 100).all(-1).sum() == 128 * 128 - 16
    assert (sheet[:16] < 255).any() and (sheet[160:, 132:] == 255).all()


def test_of_a_pretraining_images_have_no_names_and_of_two_channels_the_first_is_shown():
    picture = np.stack([GREY[..., 0], 0 * GREY[..., 0]], -1)
    panel = {f"{kind}_{i}": picture for i in range(2) for kind in ("image", "remade")}
    found = sheets(panel)
    assert list(found) == ["panel/0", "panel/1"]
    assert (found["panel/1"][16:, :128] == 100).all()


def test_a_job_without_a_panel_has_no_pictures():
    assert sheets({}) == {}
