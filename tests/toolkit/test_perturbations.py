import pytest
import torch

from benchmark.toolkit.perturbations import feature_dropout, feature_noise


def test_noise_is_a_factor_within_its_limits_shared_by_the_batch():
    features = torch.rand(3, 4, 8, 8) + 0.5
    factor = feature_noise(features, 0.3) / features
    assert 0.7 - 1e-6 <= factor.min() < 0.71
    assert 1.29 < factor.max() <= 1.3 + 1e-6
    assert torch.allclose(factor[0], factor[2], atol=1e-6)
    assert not torch.allclose(factor[:, 0], factor[:, 1])


@pytest.mark.parametrize(("share", "kept"), [(0.7, [3, 4]), (0.9, [3, 4, 5])])
def test_the_most_active_places_are_dropped(share, kept):
    """Means over two channels 3, 4, 5, 6: the limit is 4.2 or 5.4; nothing is rescaled."""
    features = torch.tensor([[[2.0, 3], [4, 5]], [[4, 5], [6, 7]]])[None]
    dropped = feature_dropout(features, share, share)
    assert [m for m in (3, 4, 5, 6) if m in dropped.mean(1)] == kept
    stays = dropped != 0
    assert torch.equal(dropped[stays], features[stays])


def test_the_place_of_the_maximum_is_dropped_in_each_image_by_itself():
    features = torch.rand(5, 3, 4, 4, 4) * torch.arange(1, 6).reshape(5, 1, 1, 1, 1)
    dropped = feature_dropout(features)
    for image, source in zip(dropped, features, strict=True):
        assert image.flatten(1)[:, source.mean(0).argmax()].eq(0).all()
        assert image.ne(0).float().mean() > 0.3


def test_a_map_without_activity_is_kept():
    features = -torch.rand(1, 2, 4, 4) - 0.1
    assert torch.equal(feature_dropout(features), features)


def test_torch_s_seed_repeats_both():
    features = torch.rand(2, 3, 8, 8)
    for perturb in (feature_noise, feature_dropout):
        results = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            results.append(perturb(features))
        assert torch.equal(results[0], results[1])
        assert not torch.equal(results[0], results[2])
