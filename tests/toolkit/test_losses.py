import math

import pytest
import torch

from benchmark.toolkit.losses import (
    agreement,
    consistency,
    cross_entropy,
    cross_entropy_and_dice,
    dice_loss,
    foreground_share,
    masked,
)


def one_foreground_pixel():
    return torch.zeros(1, 2, 2, 2), torch.tensor([[[1, 0], [0, 0]]])


def test_cross_entropy_of_uniform_logits_is_ln_2():
    assert cross_entropy(*one_foreground_pixel()).item() == pytest.approx(0.6931472, abs=1e-6)


def test_dice_loss_of_one_foreground_pixel_in_four_at_even_odds():
    """p = 1/2 everywhere, so Σp² = 1 for each class.

    Foreground: Σpq = 1/2, Σq² = 1: 1 - (1 + 1) / (1 + 1 + 1) = 1/3.
    Background: Σpq = 3/2, Σq² = 3: 1 - (3 + 1) / (1 + 3 + 1) = 1/5. Mean: 4/15.
    """
    assert dice_loss(*one_foreground_pixel()).item() == pytest.approx(4 / 15, abs=1e-6)


def test_dice_loss_without_foreground_keeps_the_foreground_term():
    """4 × 4 pixels, p = 1/2: Σp² = 4. Background Σpq = 8, Σq² = 16: 1 - 17/21 = 0.190476.

    Foreground Σpq = 0, Σq² = 0: 1 - 1/5 = 0.8. Mean 0.495238 (0.190476 if the class is dropped).
    """
    y = torch.zeros(1, 4, 4, dtype=torch.long)
    assert dice_loss(torch.zeros(1, 2, 4, 4), y).item() == pytest.approx(0.4952381, abs=1e-6)


def test_cross_entropy_and_dice_is_their_mean():
    """(ln 2 + 4/15) / 2."""
    value = cross_entropy_and_dice(*one_foreground_pixel()).item()
    assert value == pytest.approx((math.log(2) + 4 / 15) / 2, abs=1e-6)


@pytest.mark.parametrize("loss", [cross_entropy, dice_loss])
def test_a_confident_right_answer_costs_nothing_in_two_and_three_dimensions(loss):
    for shape in ((1, 4, 4), (1, 4, 4, 4)):
        y = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(0))
        z = torch.stack([200.0 - 400.0 * y, 400.0 * y - 200.0], 1)
        assert loss(z, y).item() == pytest.approx(0, abs=1e-6)


def test_consistency_is_a_mean_over_pixels_and_classes():
    """Two pixels: (.9, .1) against (.5, .5) and (.3, .7) against (.3, .7): (.16 + .16) / 4."""
    p = torch.tensor([[0.9, 0.3], [0.1, 0.7]]).reshape(1, 2, 1, 2)  # rows are classes
    q = torch.tensor([[0.5, 0.3], [0.5, 0.7]]).reshape(1, 2, 1, 2)
    assert consistency(p, q).item() == pytest.approx(0.08, abs=1e-7)
    assert consistency(q, p).item() == pytest.approx(0.08, abs=1e-7)


def test_consistency_of_equal_and_of_opposite_certainty():
    """(1, 0) against (0, 1): the mean of 1² and 1²."""
    sure = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    assert consistency(sure, sure).item() == 0
    assert consistency(sure, 1 - sure).item() == 1


def four_pixels_of_three_classes():
    """Logits whose argmax is 0, 1, 2, 0: one row per class."""
    z = torch.tensor([[5.0, 1, 0, 2], [1, 4, 1, 1], [0, 3, 2, -1]])
    return z.reshape(1, 3, 2, 2).requires_grad_()


def test_agreement_is_the_share_of_equal_choices():
    """Choices 0, 1, 2, 0 against 0, 1, 1, 1: two of four; how sure they are does not count."""
    z = four_pixels_of_three_classes()
    other = torch.tensor([[0.1, 0, 0, 0], [0, 0.1, 9, 0.1], [0, 0, 0, 0]]).reshape(1, 3, 2, 2)
    assert agreement(z, other).item() == 0.5
    assert agreement(z, z).item() == 1
    assert not agreement(z, other).requires_grad


def test_the_foreground_share_counts_every_class_but_the_first():
    """Choices 0, 1, 2, 0: two of four."""
    found = foreground_share(four_pixels_of_three_classes())
    assert found.item() == 0.5
    assert not found.requires_grad


def two_pixels():
    """One image; p = (.8807971, .1192029) and (.2689414, .7310586), of classes 0 and 1."""
    z = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).reshape(1, 2, 2)  # rows are classes
    return z, torch.tensor([[0, 1]])


def keep(*pixels: int):
    return torch.tensor([pixels], dtype=torch.bool)


@pytest.mark.parametrize(
    ("criterion", "average", "kept", "expected"),
    [
        (cross_entropy, "kept", (1, 1), 0.2200948),  # (-ln .8807971 - ln .7310586) / 2
        (dice_loss, "kept", (1, 1), 0.0321695),
        (cross_entropy, "kept", (1, 0), 0.1269280),  # -ln .8807971
        (cross_entropy, "all", (1, 0), 0.0634640),  # and half of it
        # Class 0: 1 - (2 · .8807971 + 1) / (.8807971² + 1 + 1); class 1: 1 - 1 / (.1192029² + 1).
        (dice_loss, "kept", (1, 0), 0.0095646),
        (dice_loss, "all", (1, 0), 0.0095646),
        (dice_loss, "kept", (0, 1), 0.0479947),
        (cross_entropy, "kept", (0, 1), 0.3132617),
        (cross_entropy_and_dice, "kept", (1, 0), 0.0682463),
        (cross_entropy_and_dice, "all", (1, 0), 0.0365143),  # (.0634640 + .0095646) / 2
        (cross_entropy, "kept", (0, 0), 0.0),
        (cross_entropy, "all", (0, 0), 0.0),
        (dice_loss, "kept", (0, 0), 0.0),
        (cross_entropy_and_dice, "kept", (0, 0), 0.0),
    ],
)
def test_a_masked_criterion_of_two_pixels(criterion, average, kept, expected):
    value = masked(criterion, average=average)(*two_pixels(), keep(*kept))
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_parts_inside_and_outside_of_a_box_add_up():
    """Half of the first and all of the second: .0682463 / 2 + (.3132617 + .0479947) / 2."""
    z, y = two_pixels()
    part = masked(cross_entropy_and_dice)
    total = 0.5 * part(z, y, keep(1, 0)) + part(z, y, keep(0, 1))
    assert total.item() == pytest.approx(0.2147513, abs=1e-6)


@pytest.mark.parametrize("criterion", [cross_entropy, dice_loss, cross_entropy_and_dice])
@pytest.mark.parametrize("average", ["kept", "all"])
@pytest.mark.parametrize("space", [(5, 4), (3, 4, 2)])
def test_masked_with_every_pixel_kept_is_the_criterion_itself(criterion, average, space):
    torch.manual_seed(0)
    z, y = torch.randn(2, 3, *space), torch.randint(0, 3, (2, *space))
    found = masked(criterion, average=average)(z, y, torch.ones_like(y, dtype=torch.bool))
    assert torch.allclose(found, criterion(z, y), atol=1e-6)


def test_what_is_not_kept_gets_no_gradient():
    """(p - q) / 2 = (.8807971 - 1, .1192029) / 2 at the first of two pixels."""
    z, y = two_pixels()
    z.requires_grad_()
    masked(cross_entropy, average="all")(z, y, keep(1, 0)).backward()
    assert z.grad[0, :, 0].tolist() == pytest.approx([-0.0596015, 0.0596015], abs=1e-6)
    assert z.grad[0, :, 1].tolist() == [0.0, 0.0]
    z.grad = None
    masked(cross_entropy_and_dice)(z, y, keep(0, 0)).backward()
    assert not z.grad.any()


def test_another_criterion_and_another_average_are_refused():
    with pytest.raises(ValueError, match="only ce, dice, ce_dice can be masked"):
        masked(consistency)
    with pytest.raises(ValueError, match="average is kept or all, got some"):
        masked(dice_loss, average="some")


def test_the_criterion_of_every_run_can_be_masked(build):
    for name in ("ce", "dice", "ce_dice"):
        assert masked(build(criterion=name).criterion)(*two_pixels(), keep(1, 1)) > 0
