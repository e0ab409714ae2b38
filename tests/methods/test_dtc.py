import pytest
import torch

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.distances import signed_distances
from methods.dtc import DTC, heads_agree

STEEP = 1500.0


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (0.0, 0.5), (0.001, 0.1824255), (-0.001, 0.8175745), (0.002, 0.0474259),
        (0.0030634, 0.01), (0.005, 5.5278e-4), (0.01, 3.059e-7),
    ],
)  # fmt: skip
def test_the_mask_of_a_distance(distance, expected):
    """Against a segmentation that says background for sure: the loss is its square."""
    z = torch.tensor([400.0, -400.0], dtype=torch.float64).reshape(1, 2, 1, 1)
    s = torch.tensor(distance, dtype=torch.float64).reshape(1, 1, 1, 1)
    assert heads_agree(z, s, STEEP).sqrt().item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("distance", "slope"), [(0.0, 375.0), (0.001, 223.7), (0.005, 0.829), (0.01, 4.6e-4)]
)
def test_the_gradient_is_confined_to_a_narrow_band(distance, slope):
    s = torch.tensor(distance, dtype=torch.float64).requires_grad_()
    torch.sigmoid(-STEEP * s).backward()
    assert -s.grad.item() == pytest.approx(slope, rel=0.01)


def test_exact_distances_and_an_exact_mask_agree_but_for_the_boundary():
    """Each of the 8 boundary pixels of a 3 × 3 square has distance 0: (1/2 - 1)² each."""
    y = torch.zeros(1, 7, 7, dtype=torch.long)
    y[0, 2:5, 2:5] = 1
    z = torch.stack([1 - y, y], 1) * 400.0
    assert heads_agree(z, signed_distances(y, 2), STEEP).item() == pytest.approx(0.25 * 8 / 49)


def test_the_terms_and_their_weights(build, batch):
    """Unsupervised terms are means over both streams: 2 labelled and 3 unlabelled images."""
    method, data = DTC(build(), distance_weight=0.3, weight=2.0).eval(), batch()
    first, second = method.loss(data, 0.5)
    z, s = method._both(data.x)
    zu, su = method._both(data.u)
    true = signed_distances(data.y, 2)
    assert torch.equal(first["supervised"], method.criterion(z, data.y))
    assert first["distance"].item() == pytest.approx(0.3 * (s - true).square().mean().item())
    together = heads_agree(torch.cat([z, zu]), torch.cat([s, su]), STEEP).item()
    both = first["consistency_labelled"] + second["consistency"]
    assert both.item() == pytest.approx(2.0 * 0.5 * together, rel=1e-5)


def test_the_labelled_images_can_be_left_out_of_the_consistency(build, batch):
    method, data = DTC(build(), unlabelled_only=True, weight=2.0).eval(), batch()
    first, second = method.loss(data, 0.5)
    assert set(first) == {"supervised", "distance"}
    agree = heads_agree(*method._both(data.u), STEEP)
    assert second["consistency"].item() == pytest.approx(2.0 * 0.5 * agree.item())


def test_distances_are_within_one_and_have_a_channel_per_foreground_class(batch):
    method = DTC(NetworkBuilder(in_channels=1, classes=4))
    z, s = method._both(batch().x)
    assert z.shape[1] == 4 and s.shape[1] == 3
    assert s.abs().max() <= 1


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("sdf_empty", ["zeros", "ones"])
def test_patches_with_one_side_only_give_finite_gradients(value, sdf_empty, build, batch):
    method, data = DTC(build(), sdf_empty=sdf_empty), batch()
    data = data._replace(y=torch.full_like(data.y, value))
    for part in method.loss(data, 1.0):
        sum(part.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters())


def test_an_absent_object_is_far_away_if_asked_for(build, batch):
    data = batch()
    data = data._replace(y=torch.zeros_like(data.y))
    losses = {}
    for sdf_empty in ("zeros", "ones"):
        method = DTC(build(), sdf_empty=sdf_empty, distance_weight=1.0).eval()
        torch.nn.init.zeros_(method.distance_head.weight)  # s = 0 everywhere
        losses[sdf_empty] = next(method.loss(data, 1.0))["distance"].item()
    assert losses == {"zeros": 0.0, "ones": 1.0}
    with pytest.raises(ValueError, match="zeros or ones"):
        DTC(build(), sdf_empty="far")


def test_only_the_segmentation_is_tested(build, batch):
    method, x = DTC(build()).eval(), batch().x
    assert torch.equal(method(x), method.network(x))
