import pytest
import torch

from benchmark.toolkit import views
from benchmark.toolkit.views import Scale, Strength

COLOURS = Scale(mean=(0.5, 0.4, 0.3), std=(0.2, 0.1, 0.2))
GREY = Scale(mean=(0.5,), std=(0.25,))


def images(*shape: int, seed: int = 0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def colour_images(n: int = 4, side: int = 16):
    """Standardised as `COLOURS` says."""
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in COLOURS)
    return (images(n, 3, side, side) - mean) / std


EVERY_VIEW = {
    "strong": lambda x: views.strong(x, COLOURS),
    "strong, by each image": lambda x: views.strong(x, None),
    "strong, of volumes": lambda x: views.strong(x[:, :1, None], None)[:, :, 0],
    "jitter": lambda x: views.jitter(x, COLOURS),
    "blur": views.blur,
    "stretch": views.stretch,
    "grain": views.grain,
    "channel_dropout": lambda x: views.channel_dropout([x])[0],
    "boxes": views.boxes,
    "shared_box": views.shared_box,
    "beta_boxes": views.beta_boxes,
}
every_view = pytest.mark.parametrize("view", EVERY_VIEW.values(), ids=EVERY_VIEW)


@every_view
def test_a_seed_repeats_a_view_which_leaves_the_images_alone(view):
    x = colour_images(8)
    before, found = x.clone(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(view(x))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.equal(x, before)


@every_view
def test_a_view_draws_from_the_processor_s_generator(view, monkeypatch):
    """On another device no random number is drawn, so the view is the same there."""
    drawn_at = []
    for name in ("rand", "randn", "randint", "randperm"):
        original = getattr(torch, name)

        def recorded(*arguments, original=original, **options):
            result = original(*arguments, **options)
            drawn_at.append(result.device.type)
            return result

        monkeypatch.setattr(torch, name, recorded)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    view(colour_images())
    assert set(drawn_at) <= {"cpu"}
    assert not torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("scale", [COLOURS, None])
def test_with_no_probability_the_view_is_the_image(scale):
    x = colour_images()
    assert torch.equal(views.strong(x, scale, p_jitter=0.0, p_blur=0.0), x)
    volumes = images(2, 1, 4, 4, 4)
    assert torch.equal(views.strong(volumes, None, p_jitter=0.0, p_blur=0.0), volumes)


@pytest.mark.parametrize(
    ("view", "share"),
    [
        (lambda x: views.jitter(x, GREY), 0.8),
        (views.stretch, 0.8),
        (lambda x: views.blur(x, sigma=(0.5, 1.0)), 0.5),  # much narrower shows in no bit
        (views.grain, 0.2),
        (lambda x: views.strong(x[:, :, None], None, p_jitter=0.0)[:, :, 0], 0.2),
    ],
)
def test_as_many_images_are_changed_as_the_sources_change(view, share):
    torch.manual_seed(0)
    x = images(1000, 1, 4, 4) * 1.6 - 0.8
    changed = (view(x) != x).flatten(1).any(1).float().mean()
    assert changed.item() == pytest.approx(share, abs=0.04)  # three deviations of the mean


def test_the_jittered_grey_levels_stay_within_those_that_there_are():
    """With v in [0, 1], z is within -mean / std and (1 - mean) / std."""
    torch.manual_seed(0)
    x = views.jitter(colour_images(50), COLOURS, p=1.0)
    assert x.amin((0, 2, 3)).tolist() == pytest.approx([-2.5, -4.0, -1.5], abs=1e-5)
    assert x.amax((0, 2, 3)).tolist() == pytest.approx([2.5, 6.0, 3.5], abs=1e-5)


def test_brightness_alone_is_a_factor_of_the_grey_levels_themselves():
    """v = .5 + .25 z is .25, .5, .75, whose ratios 1, 2, 3 stay what they are."""
    x = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3).expand(200, 1, 1, 3)
    torch.manual_seed(0)
    found = views.jitter(x, GREY, p=1.0, strength=Strength(0.3, 0.0, 0.0, 0.0))
    v = 0.5 + 0.25 * found[:, 0, 0]
    assert torch.allclose(v / v[:, :1], torch.tensor([1.0, 2.0, 3.0]), atol=1e-4)
    factors = v[:, 1] / 0.5
    assert 0.7 <= factors.min() < 0.72 and 1.28 < factors.max() <= 1.3 + 1e-6


def test_without_a_scale_grey_levels_go_from_the_image_s_least_to_its_largest():
    """By each image and channel: values stay within its own, however strong the jitter."""
    torch.manual_seed(0)
    x = images(20, 2, 8, 8) * torch.tensor([1.0, 100.0]).reshape(2, 1, 1)
    found = views.jitter(x, None, p=1.0, strength=Strength(0.9, 0.9))
    assert (found >= x.amin((2, 3), keepdim=True) - 1e-4).all()
    assert (found <= x.amax((2, 3), keepdim=True) + 1e-4).all()


def test_three_channels_are_colours_where_their_scale_is_known():
    """Hue alone: nothing without a scale, and nothing on one channel."""
    hue = Strength(0.0, 0.0, 0.0, 0.25)
    torch.manual_seed(0)
    x = colour_images()
    turned = views.jitter(x, COLOURS, p=1.0, strength=hue)
    assert not torch.allclose(turned, x, atol=1e-3)
    assert torch.allclose(views.jitter(x, None, p=1.0, strength=hue), x, atol=1e-5)
    grey = images(2, 1, 8, 8)
    assert torch.allclose(views.jitter(grey, GREY, p=1.0, strength=hue), grey, atol=1e-5)


def test_a_stretched_volume_stays_within_its_own_grey_levels():
    """-1, 0, 1, 3 stretched by at most 1.5 and shifted: never outside, and in the same order."""
    x = torch.tensor([-1.0, 0.0, 1.0, 3.0]).reshape(1, 1, 1, 2, 2).expand(100, 1, 1, 2, 2)
    torch.manual_seed(0)
    found = views.stretch(x, p=1.0).flatten(1)
    assert found.min() >= -1 and found.max() <= 3 + 1e-6
    assert (found.diff() >= -1e-6).all()
    assert found.std(0).min() > 0.05


def test_a_flat_image_stays_finite():
    x = torch.zeros(4, 1, 8, 8)
    torch.manual_seed(0)
    assert torch.equal(views.jitter(x, None, p=1.0), x)
    assert torch.equal(views.stretch(x, p=1.0), x)


def test_grain_has_two_deviations_at_most():
    torch.manual_seed(0)
    x = torch.zeros(60, 1, 16, 16)
    noise = views.grain(x, p=1.0).flatten(1)
    most = noise.abs().amax(1)
    assert 0.2 <= most.min() < 0.35 and 1.8 < most.max() <= 2.0


def test_the_widest_blur_grows_with_the_side(monkeypatch):
    """2 pixels at 256, so 1 at 128; the shorter side counts."""
    asked = []
    monkeypatch.setattr(views, "blur", lambda x, *, p, sigma: asked.append((p, *sigma)) or x)
    for sides in ((256, 256), (128, 128), (64, 128), (8, 8)):
        views.strong(torch.zeros(1, 1, *sides), GREY)
    assert asked == [(0.5, 0.1, 2.0), (0.5, 0.1, 1.0), (0.5, 0.1, 0.5), (0.5, 0.1, 0.1)]


@pytest.mark.parametrize(
    ("shape", "layout"),
    [((2, 3, 16, 16), torch.channels_last), ((2, 2, 8, 8, 8), torch.channels_last_3d)],
)
def test_a_view_lies_in_memory_as_the_images_do(shape, layout):
    x = images(*shape).contiguous(memory_format=layout)
    view = views.strong(x, None, p_jitter=1.0, p_blur=1.0)
    assert view.is_contiguous(memory_format=layout)
    assert views.paste(x, x.flip(0), views.boxes(x, 1.0)).is_contiguous(memory_format=layout)


def test_dropped_channels_are_whole_and_the_others_doubled():
    torch.manual_seed(0)
    levels = [torch.ones(40, 16, 4, 4), torch.ones(40, 16, 2, 2, 2)]
    dropped = views.channel_dropout(levels)
    for level, found in zip(levels, dropped, strict=True):
        assert found.shape == level.shape
        channels = found.flatten(2)
        assert (channels.eq(0).all(2) | channels.eq(2).all(2)).all()
        assert found.mean().item() == pytest.approx(1, abs=0.15)  # 640 channels: ± .04 each
    assert not torch.equal(dropped[0].flatten(2)[..., 0], dropped[1].flatten(2)[..., 0])
    quarter = views.channel_dropout([torch.ones(1, 64, 1, 1)], p=0.25)[0]
    assert quarter.unique().tolist() == pytest.approx([0.0, 4 / 3])


@pytest.mark.parametrize(
    ("sides", "part", "ratio", "expected"),
    [
        ((128, 128), 0.2, 1.0, (57, 57)),  # √.2 · 128 = 57.2
        ((128, 128), 0.2, 0.3, (31, 104)),  # height √.06, width √(2/3)
        ((128, 128), 0.2, 10 / 3, (104, 31)),
        ((128, 128), 0.02, 1.0, (18, 18)),
        ((64, 128), 0.25, 1.0, (32, 64)),
        ((112, 112, 80), 0.2, 1.0, (65, 65, 46)),  # ∛.2 = .5848
        ((112, 112, 80), 0.2, 0.3, (97, 43, 46)),
        ((112, 112, 80), 0.2, 10 / 3, (43, 97, 46)),
        ((112, 112, 80), 0.4, 0.3, (112, 55, 58)),  # ∛(4/3) is cut to 1; ∛.12, ∛.4
    ],
)
def test_the_sides_of_a_box(sides, part, ratio, expected):
    assert views.box_sides(sides, part, ratio) == expected


def is_a_box(inside) -> bool:
    """As many pixels as its bounds have."""
    places = inside.nonzero()
    bounds = places.amax(0) - places.amin(0) + 1
    return len(places) == bounds.prod()


@pytest.mark.parametrize("sides", [(32, 32), (16, 16, 12)])
def test_half_of_the_images_have_a_box(sides):
    torch.manual_seed(0)
    found = views.boxes(torch.zeros(600, 1, *sides))
    has_one = found.flatten(1).any(1)
    assert found.shape == (600, *sides)
    assert has_one.float().mean().item() == pytest.approx(0.5, abs=0.06)
    assert all(is_a_box(inside) for inside in found[has_one])
    places = found.nonzero()[:, 1:]
    assert places.amin(0).tolist() == [0] * len(sides)  # and they reach both ends of each axis
    assert places.amax(0).tolist() == [side - 1 for side in sides]


def test_boxes_have_their_part_of_the_image():
    """Uniform in .02 … .4, rounded down by up to a row and a column: .21 less about .003."""
    torch.manual_seed(0)
    share = views.boxes(torch.zeros(2000, 1, 128, 128), 1.0).flatten(1).float().mean(1)
    assert share.mean().item() == pytest.approx(0.207, abs=0.008)
    assert share.min() > 0.018 and share.max() <= 0.4


def test_one_box_for_the_whole_batch_reaches_every_place():
    """⌊2 · 4 / 3⌋ = 2 of 4 pixels, so nine places; the last one among them."""
    torch.manual_seed(0)
    found = [views.shared_box(torch.zeros(3, 1, 4, 4)) for _ in range(200)]
    assert all(torch.equal(box[0], box[1]) and torch.equal(box[0], box[2]) for box in found)
    assert {tuple(box[0].nonzero()[0].tolist()) for box in found} == {
        (i, j) for i in range(3) for j in range(3)
    }


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((128, 128), 85**2),
        ((32, 96), 21 * 64),
        ((64, 256), 42 * 170),
        ((112, 112, 80), 74 * 74 * 53),
    ],
)
def test_the_box_of_a_batch_is_two_thirds_of_each_side(sides, expected):
    assert views.shared_box(torch.zeros(1, 1, *sides)).sum() == expected


@pytest.mark.parametrize(("sides", "share"), [((128, 128), 0.355), ((56, 56, 40), 0.215)])
def test_boxes_of_a_beta_law_have_its_mean_area(sides, share):
    torch.manual_seed(0)
    x = torch.zeros(2, 1, *sides)
    found = torch.stack([views.beta_boxes(x).flatten(1).float().mean(1) for _ in range(600)])
    assert found.mean().item() == pytest.approx(share, abs=0.02)


def test_boxes_of_a_beta_law_have_equal_sides_around_their_own_centres(monkeypatch):
    """λ = .5: √.5 · 128 = 90 and · 80 = 56, halves 45 and 28, around (64, 40) and (16, 79)."""
    places = iter([64, 40, 16, 79])
    monkeypatch.setattr(torch, "randint", lambda *_: torch.tensor(next(places)))
    monkeypatch.setattr(torch.distributions.Beta, "sample", lambda self: torch.tensor(0.5))
    first, second = views.beta_boxes(torch.zeros(2, 1, 128, 80))
    assert is_a_box(first) and first.nonzero().amin(0).tolist() == [19, 12]
    assert first.nonzero().amax(0).tolist() == [108, 67]
    assert second.nonzero().amin(0).tolist() == [0, 51]
    assert second.nonzero().amax(0).tolist() == [60, 79]


def test_a_box_is_pasted_into_images_and_labels_alike():
    """The top row of the other image; pasted twice it is back."""
    labels = torch.tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    box = torch.tensor([[[True, True], [False, False]]]).expand(2, 2, 2)
    expected = torch.tensor([[[5, 6], [3, 4]], [[1, 2], [7, 8]]])
    pasted = views.paste(labels, labels.flip(0), box)
    assert torch.equal(pasted, expected)
    assert torch.equal(views.paste(pasted, pasted.flip(0), box), labels)
    pictures = torch.stack([labels, 10 * labels], 1).float()
    pasted = views.paste(pictures, pictures.flip(0), box)
    assert torch.equal(pasted, torch.stack([expected, 10 * expected], 1).float())
    assert labels[0, 0, 0] == 1


def test_pasting_keeps_each_pixel_s_label_and_how_sure_it_is_together():
    torch.manual_seed(0)
    x = images(3, 2, 8, 8, 4)
    labels = x[:, 0].mul(1000).long()
    box = views.boxes(x, 1.0)
    mixed, mixed_labels = views.paste(x, x.flip(0), box), views.paste(labels, labels.flip(0), box)
    assert torch.equal(mixed[:, 0].mul(1000).long(), mixed_labels)
    assert torch.equal(mixed[1], x[1]), "the middle one of an odd batch is its own partner"


def test_the_scale_gives_the_grey_levels_back():
    """A jitter of strength 0 is the identity up to rounding."""
    x = colour_images()
    nothing = Strength(0.0, 0.0, 0.0, 0.0)
    assert torch.allclose(views.jitter(x, COLOURS, p=1.0, strength=nothing), x, atol=1e-5)
    assert torch.allclose(views.jitter(x, None, p=1.0, strength=nothing), x, atol=1e-5)


def test_cutmix_takes_image_and_targets_from_the_same_place():
    torch.manual_seed(0)
    x = torch.stack([torch.full((1, 16, 16), 1.0), torch.full((1, 16, 16), 2.0)])
    label = torch.stack([torch.full((16, 16), 1), torch.full((16, 16), 2)])
    mixed, labels = views.cutmix(x, label, p=1.0)
    assert torch.equal(mixed[:, 0], labels.float())
    assert {1, 2} == set(labels[0].unique().tolist()) == set(labels[1].unique().tolist())
    untouched, _ = views.cutmix(x, label, p=0.0)
    assert torch.equal(untouched, x)


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_every_image_of_a_batch_gets_a_box_of_another(n):
    """Also the middle one of an odd number; of an even one it is that of the batch reversed."""
    torch.manual_seed(0)
    x = torch.arange(float(n)).reshape(n, 1, 1, 1).expand(n, 1, 16, 16).clone()
    (mixed,) = views.cutmix(x, p=1.0)
    inside = [set(image.unique().tolist()) - {float(i)} for i, image in enumerate(mixed)]
    assert all(len(others) == 1 for others in inside)
    if n % 2 == 0:
        assert inside == [{float(n - 1 - i)} for i in range(n)]
