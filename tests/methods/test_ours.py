"""The invariants of the diffusion teacher-student; "f_m" and "f_i" as in its header."""

import math

import pytest
import torch
from torch import nn

from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import CRITERIA
from benchmark.toolkit.method import Batch
from benchmark.training.loop import backward
from methods._ours_options import Options
from methods.cps import CPS
from methods.ours import DiffusionTeacherStudent, Pathways, scaled


@pytest.fixture
def make(build):
    def method(dims: int = 2, criterion_of_run: str = "ce", **options) -> DiffusionTeacherStudent:
        return DiffusionTeacherStudent(build(dims, criterion_of_run), Options(**options))

    return method


class Stub(Pathways):
    """Records what it is given; its masks count the calls, its images are the teacher's."""

    def __init__(self, teacher: Pathways):
        nn.Module.__init__(self)
        self.teacher, self.masks_seen, self.images_seen, self.calls = teacher, [], [], 0

    def mask(self, image, noisy, t):
        self.images_seen.append(image)
        output = self.teacher.mask(image, noisy, t) * 0 + self.calls
        self.calls += 1
        return output

    def image(self, noisy, mask, t):
        self.masks_seen.append(mask)
        return self.teacher.image(noisy, mask, t)


def calls(method, batch) -> dict[str, int]:
    """How often each network of the method is passed in a step."""
    counted = {"teacher.masks": 0, "teacher.images": 0, "student.masks": 0}

    def counter(name):
        def count(*_):
            counted[name] += 1

        return count

    for name in counted:
        method.get_submodule(name).register_forward_hook(counter(name))
    backward(method, batch, 0.5, "float32")
    return counted


@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_the_passes_of_each_network(rounds, make, batch):
    """Two streams, each R + 1 masks and R images of the teacher, one mask of the student."""
    assert calls(make(rounds=rounds), batch()) == {
        "teacher.masks": 2 * (rounds + 1),
        "teacher.images": 2 * rounds,
        "student.masks": 2,
    }


@pytest.mark.parametrize(("chained", "expected"), [(True, [0, 1, 2]), (False, [0, 0, 0])])
def test_each_round_starts_from_the_mask_of_the_last_or_from_the_first(
    chained, expected, make, batch
):
    method = make(rounds=3, rounds_chained=chained, mask_to_image="raw")
    method.teacher = Stub(method.teacher)
    list(method._unlabelled(batch(), 1.0))
    assert [mask.mean().item() for mask in method.teacher.masks_seen] == expected


@pytest.mark.parametrize("clips", [True, False])
def test_a_round_sees_the_image_that_was_made_clipped_or_as_it_is(clips, make, batch):
    method, i = make(rounds=2, clip_x0=clips), scaled(batch().u)
    method.teacher = Stub(method.teacher)
    list(method._unlabelled(batch(), 1.0))
    first, *made = method.teacher.images_seen
    assert torch.equal(first, i)
    for image in made:
        assert not torch.allclose(image, i)
        assert (image.abs().max() <= 1) == clips
    assert 0 < method.diagnostics["clipped"] < 1


@pytest.mark.parametrize("round_image", ["original", "previous"])
def test_what_is_noised_in_the_second_round(round_image, make, batch):
    """Without noise (the first time step, hardly any) the image network is given it back."""
    method = make(rounds=2, round_image=round_image, t_prime_max=0, image_param="x0")
    noised = []
    method.teacher.image = lambda noisy, mask, t: noised.append(noisy) or noisy * 0.5
    list(method._unlabelled(batch(), 1.0))
    scale = noised[1].abs().mean() / noised[0].abs().mean()
    assert scale.item() == pytest.approx({"original": 1.0, "previous": 0.5}[round_image], abs=0.05)


def reached(method, terms: dict[str, torch.Tensor], name: str) -> set[str]:
    """Networks whose parameters one term reaches with a gradient other than zero."""
    method.zero_grad(set_to_none=True)
    terms[name].backward(retain_graph=True)
    parameters = method.named_parameters()
    return {
        ".".join(n.split(".")[:2]) for n, p in parameters if p.grad is not None and p.grad.any()
    }


def test_with_both_detaches_each_loss_trains_one_network(make, batch):
    method = make(rounds=1)
    semi, one = method._unlabelled(batch(), 1.0)
    assert reached(method, semi, "semi") == {"teacher.masks", "student.masks"}
    assert reached(method, one, "reconstruction") == {"teacher.images"}
    assert reached(method, one, "align") == {"teacher.masks"}


@pytest.mark.parametrize("detaches_image", [True, False])
@pytest.mark.parametrize("detaches_mask", [True, False])
def test_each_detach_cuts_one_way_whatever_the_other_does(
    detaches_mask, detaches_image, make, batch
):
    """From f_i back into its mask is how L_rec reaches f_m; from f_m back into its image is how
    L_align reaches f_i.
    """
    method = make(rounds=1, detach_mask_to_image=detaches_mask, detach_image_to_mask=detaches_image)
    *_, one = method._unlabelled(batch(), 1.0)
    masks, images = {"teacher.masks"}, {"teacher.images"}
    assert reached(method, one, "reconstruction") == images | (set() if detaches_mask else masks)
    assert reached(method, one, "align") == masks | (set() if detaches_image else images)


def test_without_them_the_gradient_runs_through_the_whole_chain(make, batch):
    method = make(rounds=2, detach_mask_to_image=False, detach_image_to_mask=False)
    (terms,) = method._unlabelled(batch(), 1.0)
    assert set(terms) == {"semi", "align", "reconstruction"}
    both = {"teacher.masks", "teacher.images"}
    assert reached(method, terms, "reconstruction") == both
    assert reached(method, terms, "align") == both


def test_the_pretraining_teaches_both_networks_of_the_teacher_and_needs_no_label(make, batch):
    for head in ("x0", "v", "noise"):
        options = {"image_param": head, "image_input": "noisy_image"}
        method = make(**options)
        terms = method.pretrain_loss(batch().u, 0.5)
        assert reached(method, terms, "cycle") == {"teacher.masks", "teacher.images"}


def test_without_unsupervised_weight_the_labels_alone_count(make, batch):
    """Uniform logits: 2 ln 2, one for each network."""
    method = make(weight=0.0, rounds=2)
    for pathways in (method.teacher, method.student):
        nn.init.zeros_(pathways.masks.output.weight)
    figures = backward(method, batch(), 0.5, "float32")
    assert figures["loss_supervised"] == pytest.approx(2 * math.log(2), rel=1e-5)
    assert figures["loss_semi"] == figures["loss_align"] == figures["loss_reconstruction"] == 0


class NoisyInput(nn.Module):
    """A network of CPS that is one of ours with its noise drawn anew in each pass."""

    def __init__(self, method: DiffusionTeacherStudent, name: str):
        super().__init__()
        self.pathways, self.method = getattr(method, name), [method]

    def forward(self, x):
        (method,) = self.method
        i = scaled(x)
        return method._mask(self.pathways, i, method._draw(i))


def test_the_tested_network_sees_images_on_the_scale_of_every_other_method(make, batch):
    """z-scores, cut off at 3; the noised mask comes first."""
    method, x = make(), batch().x
    x[0, 0] = 7.0
    seen = []
    method.student.masks.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    method(x)
    torch.testing.assert_close(seen[0][:, method.classes :], x.clamp(-3, 3))
    assert seen[0][0, method.classes].unique().item() == pytest.approx(3.0)


def test_without_rounds_it_is_cps_with_a_noisy_input(make, build, batch):
    """The same terms and gradients as the other file computes them, to rounding.

    Eq. 15 and 16 add the cross terms of x (two images) and of u (three); `cps` takes one mean over
    the five: 5/2 and 5/3 times its terms.
    """
    ours, cps = make(rounds=0, weight=2.0), CPS(build(), weight=2.0, consistency_on="both")
    cps.f1, cps.f2 = NoisyInput(ours, "teacher"), NoisyInput(ours, "student")
    scale = {"supervised": 1.0, "cross_labelled": 5 / 2, "cross": 5 / 3}
    torch.manual_seed(0)
    figures = {n: float(v) for n, v in backward(ours, batch(), 0.5, "float32").items()}
    gradients = [p.grad.clone() for p in ours.student.parameters() if p.grad is not None]
    torch.manual_seed(0)
    ours.zero_grad()
    of_cps: dict[str, float] = {}
    for part in cps.loss(batch(), 0.5):
        sum(scale[name] * value for name, value in part.items()).backward()
        of_cps |= {name: scale[name] * value.item() for name, value in part.items()}
    expected = [p.grad for p in ours.student.parameters() if p.grad is not None]
    assert figures["loss_supervised"] == of_cps["supervised"]
    assert figures["loss_semi"] == pytest.approx(
        of_cps["cross_labelled"] + of_cps["cross"], rel=1e-6
    )
    assert len(gradients) == len(expected) > 0
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


# Uniform logits of one image of the fixture, 100 of 1024 pixels foreground: Σp² = 256 per class.
# Foreground: Σpq = 50, Σq² = 100: 1 - 101/357; background: Σpq = 462, Σq² = 924: 1 - 925/1181.
DICE = (256 / 357 + 256 / 1181) / 2
# Ties are class 0. Σpq = 0, Σq² = 0: 1 - 1/257; Σpq = 512, Σq² = 1024: 1 - 1025/1281.
DICE_OF_BACKGROUND = (256 / 257 + 256 / 1281) / 2


@pytest.mark.parametrize(
    ("criterion", "of_run", "labelled", "background"),
    [
        ("run", "ce", math.log(2), math.log(2)),
        ("run", "dice", DICE, DICE_OF_BACKGROUND),
        ("ce", "dice", math.log(2), math.log(2)),
        ("dice", "ce", DICE, DICE_OF_BACKGROUND),
    ],
)
def test_every_term_but_the_reconstruction_is_in_the_criterion_asked_for(
    criterion, of_run, labelled, background, make, batch
):
    """λ = 1: two networks on x; both directions on x and u; the round's mask on x and on u."""
    method = make(criterion=criterion, criterion_of_run=of_run, weight=2.0, rounds=1)
    for pathways in (method.teacher, method.student):
        nn.init.zeros_(pathways.masks.output.weight)
    figures = backward(method, batch(), 0.5, "float32")
    assert figures["loss_supervised"] == pytest.approx(2 * labelled, rel=1e-5)
    assert figures["loss_semi"] == pytest.approx(4 * background, rel=1e-5)
    assert figures["loss_align"] == pytest.approx(labelled + background, rel=1e-5)


def test_the_mean_over_rounds_does_not_grow_with_their_number(make, batch):
    """Masks that do not depend on their input make all rounds alike."""
    align = {}
    for rounds in (1, 4):
        method = make(rounds=rounds).eval()
        for pathways in (method.teacher, method.student):
            nn.init.zeros_(pathways.masks.output.weight)
        align[rounds] = backward(method, batch(), 0.5, "float32")["loss_align"]
    assert align[1] == pytest.approx(align[4])
    # λ = 2.5; uniform logits cost ln 2, on both streams.
    assert align[1] == pytest.approx(2.5 * 2 * math.log(2), rel=1e-5)


def test_labelled_images_can_be_left_out_of_the_cross_supervision(make, batch):
    data = batch()
    for on_labelled in (True, False):
        method = make(semi_on_labelled=on_labelled, rounds=0)
        assert ("semi" in next(method._labelled(data, 1.0))) == on_labelled


@pytest.mark.parametrize(("choice", "labelled"), [("lam", 0.5), ("one", 1.0)])
def test_the_weight_of_the_rounds_on_labelled_images(choice, labelled, make, batch):
    """λ = 0.5; uniform logits cost ln 2."""
    method, data = make(aux_weight_labelled=choice, rounds=1).eval(), batch()
    nn.init.zeros_(method.teacher.masks.output.weight)
    for stream, weight in ((method._labelled, labelled), (method._unlabelled, 0.5)):
        _, one = stream(data, 0.5)
        assert one["align"].item() == pytest.approx(weight * math.log(2), rel=1e-5)


def test_without_labels_the_rounds_aim_at_the_student_s_decisions(make, batch):
    """The teacher says class 0 with 3/4, the student class 1: -ln 1/4 for each pixel."""
    method = make(rounds=1)
    for pathways, bias in ((method.teacher, (math.log(3), 0.0)), (method.student, (0.0, 1.0))):
        nn.init.zeros_(pathways.masks.output.weight)
        pathways.masks.output.bias.data = torch.tensor(bias)
    _, one = method._unlabelled(batch(), 1.0)
    assert one["align"].item() == pytest.approx(math.log(4), rel=1e-5)


def remade(method, i, output):
    """`_remake` with an image network that puts out what it is told."""
    t = torch.tensor([3, 500, 999])
    noise = torch.randn(i.shape, generator=torch.Generator().manual_seed(0))
    method.teacher.image = lambda noisy, mask, t: output(noise)
    return method._remake(i, i, torch.zeros(3, 2, 32, 32), (noise, t))


def test_the_right_noise_gives_the_image_and_no_loss(make, batch):
    i = scaled(batch().u)
    image, loss = remade(make(image_param="noise"), i, lambda noise: noise)
    assert torch.allclose(image, i, atol=2e-4)
    assert loss.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # An error of 0.1 everywhere; 1/A - 1 at 3, 500 and 999 is 7.4e-4, 11.8 and 24777.
        ({"reconstruction_target": "noise"}, 0.01),
        ({"reconstruction_cap": 5.0}, 0.01 * (0.0 + 5 + 5) / 3),
        ({}, 0.01 * (0.0 + 11.8 + 24777) / 3),
    ],
)
def test_the_weight_of_the_reconstruction(options, expected, make, batch):
    method = make(image_param="noise", **options)
    _, loss = remade(method, scaled(batch().u), lambda noise: noise + 0.1)
    assert loss.item() == pytest.approx(expected, rel=2e-3)


def test_the_image_network_may_put_out_the_image_itself(make):
    """1/2 everywhere, seen as 3/4: the squared error is 1/16, whatever the time."""
    method = make(image_param="x0")
    output = torch.full((3, 1, 32, 32), 0.75)
    image, loss = remade(method, torch.full((3, 1, 32, 32), 0.5), lambda noise: output)
    assert torch.equal(image, output)
    assert loss.item() == pytest.approx(0.0625, abs=1e-7)


def test_the_image_network_may_put_out_the_velocity(make):
    """A is 0.0785872 at 499: of i = 1/2 and ν = 1 the noised image is 0.28034 · 1/2 + 0.95990 and
    the velocity 0.28034 - 0.95990 · 1/2. An error of 0.1 in it is one of 0.09599 in the image.
    """
    method = make(image_param="v", image_input="noisy_image")
    i, noise, t = torch.full((1, 1, 4, 4), 0.5), torch.ones(1, 1, 4, 4), torch.tensor([499])
    for off, expected in ((0.0, 0.5), (0.1, 0.5 - 0.0959902)):
        seen = []
        method.teacher.image = lambda noisy, mask, t, off=off, seen=seen: (
            seen.append(noisy) or (torch.full_like(noisy, 0.2803341 - 0.9599025 * 0.5 + off))
        )
        image, loss = method._remake(i, i, torch.zeros(1, 2, 4, 4), (noise, t))
        assert seen[0].unique().item() == pytest.approx(0.2803341 * 0.5 + 0.9599025, abs=1e-6)
        assert image.unique().item() == pytest.approx(expected, abs=1e-6)
        assert loss.item() == pytest.approx((expected - 0.5) ** 2, abs=1e-6)


def test_what_is_to_be_found_is_the_true_image_not_the_one_that_is_noised(make, batch):
    """Of black the noised image is √(1 - A) ν, and seen as i the noise in it is ν - √(A/(1 - A)) i;
    A is 0.0785872 at 499.
    """
    method, i = make(image_param="noise"), scaled(batch().u)
    noise, t = torch.randn(i.shape, generator=torch.Generator().manual_seed(0)), torch.tensor(499)
    share = math.sqrt(0.0785872 / (1 - 0.0785872))
    method.teacher.image = lambda noisy, mask, t: noise - share * i
    draw = noise, t.expand(3)
    image, loss = method._remake(torch.zeros_like(i), i, torch.zeros(3, 2, 32, 32), draw)
    assert torch.allclose(image, i, atol=1e-4)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_uncapped_it_is_the_squared_error_of_the_image(make, batch):
    i = scaled(batch().u)
    image, loss = remade(make(image_param="noise"), i, lambda noise: 0.9 * noise)
    assert loss.item() == pytest.approx((image - i).square().mean().item(), rel=1e-3)


def test_masks_start_from_noise_alone_or_from_the_background(make):
    i, t = torch.zeros(1, 1, 4, 4), torch.tensor([0])
    noise = torch.ones(1, 2, 4, 4)
    for options, expected in (
        ({}, (0.01, 0.01)),
        ({"mask_noise": False}, (0.0, 0.0)),
        ({"mask_start": "background_onehot"}, (0.99995 + 0.01, -0.99995 + 0.01)),
    ):
        method, seen = make(**options), []
        method.student.mask = lambda image, noisy, t, seen=seen: seen.append(noisy) or noisy
        method._mask(method.student, i, (noise, t))
        assert seen[0][0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("is_shared", [True, False])
def test_teacher_and_student_are_given_the_same_noise_and_time_only_if_asked_for(
    is_shared, make, batch
):
    method, seen = make(shared_noise=is_shared, rounds=0), {"teacher": [], "student": []}
    for name, given in seen.items():
        pathways = getattr(method, name)
        pathways.mask = lambda image, noisy, t, given=given: given.append((noisy, t)) or noisy
    torch.manual_seed(0)
    list(method.loss(batch(), 0.5))
    assert len(seen["teacher"]) == len(seen["student"]) == 2  # x and u
    for (noisy, t), (other_noisy, other_t) in zip(seen["teacher"], seen["student"], strict=True):
        assert torch.equal(noisy, other_noisy) == is_shared
        assert torch.equal(t, other_t) == is_shared


@pytest.mark.parametrize(
    ("options", "t", "expected"),
    [
        ({}, 499, math.sqrt(1 - 0.0785872)),  # A as in tests/toolkit/test_diffusion.py
        ({"schedule": "sigmoid"}, 499, math.sqrt(0.5)),
        ({"time_steps": 10}, 0, 0.1),  # β₀ = 1e-4 · 1000 / 10, A₀ = 1 - β₀
        ({"time_steps": 10}, 9, 1.0),  # the last of however many steps leaves nothing
    ],
)
def test_how_much_noise_there_is_at_a_time(options, t, expected, make):
    method, seen = make(**options), []
    method.student.mask = lambda image, noisy, t: seen.append(noisy) or noisy
    draw = torch.ones(1, 2, 4, 4), torch.tensor([t])
    method._mask(method.student, torch.zeros(1, 1, 4, 4), draw)
    assert seen[0].unique().item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "of_masks", "of_images"),
    [
        ({"time_steps": 4}, {0, 1, 2, 3}, {0, 1, 2, 3}),
        ({"time_steps": 4, "t_prime_max": 1}, {0, 1, 2, 3}, {0, 1}),
        ({"time_steps": 4, "t_prime_max": 0}, {0, 1, 2, 3}, {0}),
    ],
)
def test_the_times_of_training_and_pretraining(options, of_masks, of_images, make):
    """A hundred images: that one of four times is never drawn has a chance of 1e-12."""
    images, y = torch.zeros(100, 1, 4, 4), torch.zeros(100, 4, 4, dtype=torch.long)
    many = Batch(images, y, images)
    method = make(rounds=1, **options)
    for learn in (
        lambda: list(method._labelled(many, 1.0)),
        lambda: list(method._unlabelled(many, 1.0)),
        lambda: method.pretrain_loss(many.u, 0.5),
    ):
        masks, made = set(), set()
        method.teacher.mask = lambda i, noisy, t, seen=masks: seen.update(t.tolist()) or noisy
        method.teacher.image = lambda noisy, mask, t, seen=made: seen.update(t.tolist()) or noisy
        learn()
        assert (masks, made) == (of_masks, of_images)


@pytest.mark.parametrize("image_input", ["noisy_image", "pure_noise"])
def test_what_the_image_network_is_given(image_input, make, batch):
    """At the first time there is hardly any noise: √(1 - A₀) = 0.01. What is to be found is the
    image in both cases; of a network that sees nothing the error is the image's mean square.
    """
    u = batch().u
    i = u.clamp(-3, 3) / 3
    method = make(image_input=image_input, image_param="x0", t_prime_max=0, rounds=1)
    given = []
    method.teacher.image = lambda noisy, mask, t: given.append(noisy) or torch.zeros_like(noisy)
    cycle = method.pretrain_loss(u, 0.5)["cycle"]
    assert cycle.item() == pytest.approx(i.square().mean().item(), rel=1e-5)
    list(method._unlabelled(batch(), 1.0))
    of_pretraining, of_training = given
    expected = torch.zeros_like(i) if image_input == "pure_noise" else i
    assert torch.allclose(of_pretraining, expected, atol=0.06)
    assert torch.allclose(of_training, i, atol=0.06)


def halves(n: int) -> torch.Tensor:
    """n images as f_m sees them, half of each bright: image k from its row k on."""
    images = torch.full((n, 1, 4, 4), -1.5)
    for k, image in enumerate(images):
        image[0].view(-1)[4 * k : 4 * k + 8] = 1.5
    return images


def examined(make, see, remake, **options):
    """The figures of a method whose f_m and f_i are these functions."""
    method = make(**options).eval()
    method.teacher.mask = lambda i, noisy, t: see(i)
    method.teacher.image = lambda noisy, code, t: remake(code)
    seen = method.examine(halves(3))
    return {name: float(value) for name, value in seen.figures.items()}, method, seen


def test_the_examination_of_a_pretraining_that_uses_its_mask(make):
    """f_m says which pixels are bright, f_i believes it: ± 1/2 in, ± 1 back, an error of 1/4; of
    pixels where another's mask is wrong (3/2)².
    """
    figures, method, seen = examined(
        make,
        lambda i: torch.cat([-i, i], 1) * 1e3,
        lambda code: code[:, 1:],
    )
    # Bright pixels 0-7, 4-11, 8-15: the next one's mask is wrong in 8, 8 and 16 of 16 pixels.
    wrong = (8 + 8 + 16) / 48
    assert figures["error_own"] == pytest.approx(0.25)
    assert figures["error_permuted"] == pytest.approx(wrong * 2.25 + (1 - wrong) * 0.25)
    assert figures["error_constant"] == pytest.approx(0.25)  # half of all is bright: 0
    assert figures["variance"] == pytest.approx(0.25)
    assert figures["mask_share_0"] == figures["mask_share_1"] == 0.5
    assert figures["mask_entropy"] == pytest.approx(0.0, abs=1e-6)
    assert figures["mask_brightness"] == pytest.approx(1.0)
    assert method.doubts(figures) == []
    assert torch.equal(seen.masks.argmax(1), (halves(3)[:, 0] > 0).long())
    assert torch.equal(seen.pictures["remade"], 2 * halves(3))  # ± 1, three deviations
    assert torch.equal(seen.pictures["remade_from_another"], 2 * halves(3).roll(1, 0))


def test_a_mask_that_is_not_used_and_one_that_has_collapsed_are_named(make):
    figures, method, _ = examined(
        make, lambda i: torch.cat([i * 0 + math.log(3), i * 0], 1), lambda code: code[:, :1] * 0
    )
    # p = (3/4, 1/4): an entropy of .8112781 bits; nothing is remade: an error of 1/4, whatever.
    assert figures["mask_entropy"] == pytest.approx(0.8112781, abs=1e-6)
    assert figures["mask_brightness"] == 0.0
    assert figures["error_own"] == figures["error_permuted"] == pytest.approx(0.25)
    assert method.doubts(figures) == [
        "the mask is not used: images are remade hardly better from their own mask (error 0.250) "
        "than from another image's (0.250)",
        "the mask has collapsed: 100.0 % of all pixels are in one class",
    ]


@pytest.mark.parametrize(
    ("own", "permuted", "share", "n"),
    [(0.79, 1.0, 0.98, 0), (0.80, 1.0, 0.98, 1), (0.1, 1.0, 0.99, 1), (1.0, 1.0, 1.0, 2)],
)
def test_from_where_on_a_pretraining_is_doubted(own, permuted, share, n, make):
    figures = {"error_own": own, "error_permuted": permuted}
    figures |= {"mask_share_0": 1 - share, "mask_share_1": share}
    assert len(make().doubts(figures)) == n


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image_input": "noisy_image", "image_param": "v"},
        {"image_input": "noisy_image", "image_param": "noise"},
        {"mask_to_image": "raw", "mask_output": "x0", "mask_start": "background_onehot"},
    ],
)
def test_an_examination_depends_on_the_images_alone(options, dims, make, batch):
    method, u = make(dims, **options).eval(), batch(dims).u
    first = method.examine(u)
    torch.manual_seed(9)
    second = method.examine(u)
    assert first.figures == second.figures
    assert torch.equal(first.masks, second.masks)
    assert all(math.isfinite(value) for value in first.figures.values())
    assert first.masks.shape == (len(u), 2, *u.shape[2:])
    assert {p.shape for p in first.pictures.values()} == {u.shape}


def test_classes_that_change_places_leave_the_teacher_s_images_as_they_were(make, batch):
    """Its masks say the other class, and f_i is still given the channels that it knows."""
    method, u = make(align_classes=True).eval(), batch().u
    before = method.examine(u)
    method.reorder([1, 0])
    after = method.examine(u)
    assert torch.equal(after.masks, before.masks.flip(1))
    assert torch.allclose(after.pictures["remade"], before.pictures["remade"], atol=1e-6)
    assert not torch.equal(before.masks, before.masks.flip(1))


def test_three_classes_may_change_places_round_about(batch):
    """Class 0 is what was channel 2, 1 channel 0, 2 channel 1: no order that undoes itself."""
    build = NetworkBuilder(
        in_channels=1, classes=3, network=Architecture(widths=[4, 8, 8], dropout=[0.0] * 3)
    )
    method = DiffusionTeacherStudent(build, Options(align_classes=True)).eval()
    u = batch().u
    before = method.examine(u)
    method.reorder([2, 0, 1])
    after = method.examine(u)
    assert torch.equal(after.masks, before.masks[:, [2, 0, 1]])
    assert torch.allclose(after.pictures["remade"], before.pictures["remade"], atol=1e-4)


def test_they_stay_where_they_are_unless_asked_for(make, batch):
    method, u = make().eval(), batch().u
    before = method.examine(u).masks
    method.reorder([1, 0])
    assert torch.equal(method.examine(u).masks, before)


def test_outputs_as_x0_are_brought_to_zero_and_one(make):
    """Ideal outputs ± 1 are logits (1, 0): a softmax of 0.7310586, cross entropy 0.3132617."""
    method = make(mask_output="x0")
    logits = method._logits(torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1))
    assert logits.flatten().tolist() == [1.0, 0.0]
    loss = CRITERIA["ce"](logits, torch.zeros(1, 1, 1, dtype=torch.long))
    assert loss.item() == pytest.approx(0.3132617, abs=1e-6)


def test_a_mask_enters_the_image_network_within_its_range(make, batch):
    i, seen = scaled(batch().u), []
    for code in ("softmax", "raw"):
        method = make(mask_to_image=code)
        method.teacher.image = lambda noisy, mask, t: seen.append(mask) or noisy
        method._remake(i, i, torch.full((3, 2, 32, 32), 7.0), method._image_draw(i))
    assert torch.equal(seen[0], torch.zeros_like(seen[0]))  # equal logits: 2 · 1/2 - 1
    assert torch.equal(seen[1], torch.full_like(seen[1], 7.0))


@pytest.mark.parametrize("inference", ["single_T", "single_t0", "random_t", "mean_3", "ddim_3"])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_tested_network_sees_the_same_noise_whatever_the_batch(inference, dims, make, batch):
    method, x = make(dims, inference=inference).eval(), batch(dims).u
    whole = method(x)
    torch.manual_seed(5)
    assert torch.equal(method(x), whole)
    alone = torch.cat([method(image[None]) for image in x])
    assert torch.allclose(alone, whole, atol=1e-5)
    assert torch.allclose(method(x.flip(0)).flip(0), whole, atol=1e-5)
    assert torch.isfinite(whole).all()


def test_images_and_seeds_have_noise_of_their_own(build, batch):
    x = batch().u
    seen = []
    for seed in (0, 1):
        method = DiffusionTeacherStudent(build(seed=seed))
        method.student.mask = lambda image, noisy, t: seen.append(noisy) or noisy
        method(x)
    assert not torch.equal(seen[0][0], seen[0][1])
    assert not torch.equal(seen[0], seen[1])


def test_without_an_influence_of_the_noise_all_ways_to_infer_agree(make, batch):
    x, found = batch().u, []
    for inference in ("single_T", "single_t0", "random_t", "mean_4", "ddim_4"):
        method = make(inference=inference).eval()
        method.student.mask = lambda image, noisy, t: torch.cat([image, -image], 1)
        found.append(method(x).softmax(1))
    assert all(torch.allclose(p, found[0], atol=1e-6) for p in found)


@pytest.mark.parametrize(
    ("time_steps", "inference", "times"),
    [(1000, "single_T", [999]), (1000, "single_t0", [0]), (1000, "mean_4", [125, 375, 625, 875]),
     (1000, "ddim_3", [999, 500, 0]), (100, "single_T", [99]), (100, "single_t0", [0]),
     (100, "mean_4", [12, 37, 62, 87]), (100, "ddim_3", [99, 50, 0]), (1, "random_t", [0])],
)  # fmt: skip
def test_the_times_at_which_the_mask_is_seen(time_steps, inference, times, make, batch):
    method, seen = make(time_steps=time_steps, inference=inference), []
    method.student.mask = lambda image, noisy, t: seen.append(t[0].item()) or noisy
    method(batch().u)
    assert seen == times


def test_the_student_is_tested_unless_told_otherwise(make, batch):
    for tested in ("student", "teacher"):
        method = make(tested=tested).eval()
        other = {"student": method.teacher, "teacher": method.student}[tested]
        other.mask = None  # not to be called
        method(batch().x)


def test_the_tested_network_is_the_others_but_for_its_input_and_time(batch):
    """First convolution: K more channels of 3 × 3 to 16; time: 16 → 64 → 16 with biases."""
    build = NetworkBuilder(in_channels=3, classes=2, network=Architecture())
    method = DiffusionTeacherStudent(build)
    parameters = sum(p.numel() for p in method.student.parameters())
    plain = sum(p.numel() for p in build().parameters())
    assert plain == 1_813_762
    assert parameters - plain == 2 * 9 * 16 + (16 * 64 + 64) + (64 * 16 + 16) == 2416


def saved_bytes(method, data) -> int:
    """The most that one step keeps for a backward pass at any time, each storage once."""
    alive: dict[int, int] = {}
    most = 0

    class Kept:
        def __init__(self, tensor):
            nonlocal most
            self.tensor, self.place = tensor, tensor.untyped_storage().data_ptr()
            counts[self.place] = counts.get(self.place, 0) + 1
            alive[self.place] = tensor.untyped_storage().nbytes()
            most = max(most, sum(alive.values()))

        def __del__(self):
            counts[self.place] -= 1
            if not counts[self.place]:
                alive.pop(self.place, None)

    counts: dict[int, int] = {}
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        backward(method, data, 0.5, "float32")
    return most


@pytest.mark.parametrize("dims", [2, 3])
def test_memory_does_not_grow_with_the_rounds(dims, make, batch):
    one, ten = (saved_bytes(make(dims, rounds=rounds), batch(dims)) for rounds in (1, 10))
    assert one > 100_000
    assert ten <= 1.15 * one


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "cosine"}, "schedule must be one of linear, sigmoid; got cosine"),
        ({"tested": "best"}, "tested must be one of student, teacher; got best"),
        ({"inference": "mean_0"}, "inference must be single_T, .*; got mean_0"),
        ({"rounds": -1}, "rounds must be 0 or more .*; got -1 and 1000"),
        ({"time_steps": 0}, "time_steps 1 or more; got 5 and 0"),
        ({"t_prime_max": 1000}, "t_prime_max must be a time step below 1000, .*; got 1000"),
        ({"time_steps": 10, "t_prime_max": 10}, "t_prime_max must be a time step below 10, "),
        ({"t_prime_max": -2}, "t_prime_max must be .* or -1 for the last; got -2"),
        ({"reconstruction_cap": 5.0}, "belong to image_param=noise; with image_param=x0"),
        ({"reconstruction_target": "noise"}, "belong to image_param=noise; with image_param=x0"),
        (
            {"image_param": "v", "image_input": "noisy_image", "reconstruction_cap": 2.0},
            "belong to image_param=noise; with image_param=v",
        ),
        (
            {"image_param": "noise", "reconstruction_target": "noise", "reconstruction_cap": 2.0},
            "reconstruction_cap bounds the weight of reconstruction_target=image",
        ),
        ({"image_param": "v"}, "image_param=v needs image_input=noisy_image"),
        ({"inference": "ddim_10", "mask_noise": False}, "ddim_k starts from noise alone"),
        ({"inference": "ddim_10", "mask_start": "background_onehot"}, "ddim_k starts from noise"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


@pytest.mark.parametrize("bundle", ["paper", "authors"])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_bundles_make_finite_steps(bundle, dims, make, batch):
    method = make(dims, **DiffusionTeacherStudent.BUNDLES[bundle])
    figures = backward(method, batch(dims), 0.5, "float32")
    assert all(map(math.isfinite, figures.values()))
    assert torch.isfinite(method.pretrain_loss(batch(dims).u, 0.5)["cycle"])
    assert method.eval()(batch(dims).x).shape[1] == 2


def test_by_default_the_first_stage_makes_the_image_of_the_mask_alone():
    """As docs/replication.md says why."""
    for options in (Options(), Options(**DiffusionTeacherStudent.BUNDLES["paper"])):
        assert (options.image_input, options.image_param) == ("pure_noise", "x0")
    theirs = Options(**DiffusionTeacherStudent.BUNDLES["authors"])
    assert (theirs.image_input, theirs.image_param) == ("noisy_image", "noise")


# What the paper recommends (Fig. 5: R = 5; App. A: linear, T = 1000, lambda 5), and what
# train_semi_superdiff_2d.py, unet_ddpm.py and the shell scripts of A* do.
@pytest.mark.parametrize(
    ("option", "paper", "scripts"),
    [
        ("rounds", 5, 5),
        ("weight", 5.0, 1.0),
        ("schedule", "linear", "sigmoid"),
        ("time_steps", 1000, 1000),
        ("criterion", "ce", "dice"),
        ("semi_on_labelled", True, False),
        ("aux_weight_labelled", "lam", "one"),
        ("rounds_chained", True, False),
        ("round_image", "original", "original"),
        ("reconstruction_target", "image", "noise"),
        ("clip_x0", True, False),
        ("mask_start", "zero", "background_onehot"),
        ("mask_to_image", "softmax", "raw"),
        ("mask_output", "logits", "x0"),
        ("shared_noise", True, False),
        ("inference", "single_T", "random_t"),
        ("pretrain", True, True),
    ],
)
def test_the_bundles_say_what_their_sources_do(option, paper, scripts):
    bundles = DiffusionTeacherStudent.BUNDLES
    assert getattr(Options(**bundles["paper"]), option) == paper
    assert getattr(Options(**bundles["authors"]), option) == scripts


def test_the_pictures_are_a_mask_and_an_image(make, batch):
    method, x = make().eval(), batch().x
    with torch.inference_mode():
        found = method.panel(x)
    assert found["pseudo_label"].shape == (2, 2, 32, 32)
    assert found["reconstruction"].shape == x.shape
    assert found["reconstruction"].abs().max() <= 3
