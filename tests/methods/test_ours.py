"""The invariants of the diffusion teacher-student; "f_m" and "f_i" as in its header."""

import math

import pytest
import torch
from methods._ours_pathways import Pathways
from torch import nn

from benchmark.study.settings import Network
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import CRITERIA
from benchmark.training.loop import backward
from methods.cps import CPS
from methods.ours import DiffusionTeacherStudent, scaled


@pytest.fixture
def make(build):
    def method(dims: int = 2, **options) -> DiffusionTeacherStudent:
        return DiffusionTeacherStudent(build(dims), **options)

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
    list(method._stream(batch().u, None, 1.0))
    assert [mask.mean().item() for mask in method.teacher.masks_seen] == expected


def test_a_round_sees_the_image_that_was_made_clipped(make, batch):
    method, i = make(rounds=2), scaled(batch().u)
    method.teacher = Stub(method.teacher)
    list(method._stream(batch().u, None, 1.0))
    first, *made = method.teacher.images_seen
    assert torch.equal(first, i)
    for image in made:
        assert not torch.allclose(image, i)
        assert image.abs().max() <= 1
    assert 0 < method.diagnostics["clipped"] < 1


@pytest.mark.parametrize("round_image", ["original", "previous"])
def test_what_is_noised_in_the_second_round(round_image, make, batch):
    """Without noise (the first time step, hardly any) the image network is given it back."""
    method = make(rounds=2, round_image=round_image, t_prime_max=0, image_param="x0")
    noised = []
    method.teacher.image = lambda noisy, mask, t: noised.append(noisy) or noisy * 0.5
    list(method._stream(batch().u, None, 1.0))
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
    parts = method._stream(batch().u, None, 1.0)
    semi, one = next(parts), next(parts)
    assert reached(method, semi, "semi") == {"teacher.masks", "student.masks"}
    assert reached(method, one, "reconstruction") == {"teacher.images"}
    assert reached(method, one, "align") == {"teacher.masks"}


def test_without_them_the_gradient_runs_through_the_whole_chain(make, batch):
    method = make(rounds=2, detach_mask_to_image=False, detach_image_to_mask=False)
    (terms,) = method._stream(batch().u, None, 1.0)
    assert set(terms) == {"semi", "align", "reconstruction"}
    both = {"teacher.masks", "teacher.images"}
    assert reached(method, terms, "reconstruction") == both
    assert reached(method, terms, "align") == both


def test_the_pretraining_teaches_both_networks_of_the_teacher_and_needs_no_label(make, batch):
    for options in ({}, {"image_input": "pure_noise"}, {"image_param": "x0"}):
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


@pytest.mark.parametrize(("option", "limit"), [("z_scores", 3.0), ("unit_range", 1.0)])
def test_the_tested_network_sees_images_on_the_scale_of_every_other_method(
    option, limit, make, batch
):
    """z-scores, cut off at 3; the noised mask comes first."""
    method, x = make(image_to_mask=option), batch().x
    x[0, 0] = 7.0
    seen = []
    method.student.masks.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    method(x)
    torch.testing.assert_close(seen[0][:, method.classes :], x.clamp(-3, 3) / 3 * limit)
    assert seen[0][0, method.classes].unique().item() == pytest.approx(limit)


def test_without_rounds_it_is_cps_with_a_noisy_input(make, build, batch):
    """The same terms and gradients, to the last bit, as the other file computes them."""
    ours, cps = make(rounds=0, weight=2.0), CPS(build(), weight=2.0, consistency_on="both")
    cps.f1, cps.f2 = NoisyInput(ours, "teacher"), NoisyInput(ours, "student")
    found = {}
    for name, method in (("ours", ours), ("cps", cps)):
        torch.manual_seed(0)
        ours.zero_grad()
        figures = backward(method, batch(), 0.5, "float32")
        gradients = [p.grad for p in ours.student.parameters() if p.grad is not None]
        found[name] = figures, [g.clone() for g in gradients]
    ours_figures, cps_figures = found["ours"][0], found["cps"][0]
    assert ours_figures["loss_supervised"] == cps_figures["loss_supervised"]
    assert ours_figures["loss_semi"] == pytest.approx(
        cps_figures["loss_cross_labelled"] + cps_figures["loss_cross"], rel=1e-6
    )
    assert all(torch.equal(a, b) for a, b in zip(found["ours"][1], found["cps"][1], strict=True))


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
        assert ("semi" in next(method._stream(data.x, data.y, 1.0))) == on_labelled


@pytest.mark.parametrize(("choice", "labelled"), [("lam", 0.5), ("one", 1.0)])
def test_the_weight_of_the_rounds_on_labelled_images(choice, labelled, make, batch):
    """λ = 0.5; uniform logits cost ln 2."""
    method, data = make(aux_weight_labelled=choice, rounds=1).eval(), batch()
    nn.init.zeros_(method.teacher.masks.output.weight)
    for y, weight in ((data.y, labelled), (None, 0.5)):
        _, one = method._stream(data.x, y, 0.5)
        assert one["align"].item() == pytest.approx(weight * math.log(2), rel=1e-5)


def remade(method, i, output):
    """`_remake` with an image network that puts out what it is told."""
    t = torch.tensor([3, 500, 999])
    noise = torch.randn(i.shape, generator=torch.Generator().manual_seed(0))
    method.teacher.image = lambda noisy, mask, t: output(noise)
    return method._remake(i, i, torch.zeros(3, 2, 32, 32), draw=(noise, t))


def test_the_right_noise_gives_the_image_and_no_loss(make, batch):
    i = scaled(batch().u)
    image, loss = remade(make(), i, lambda noise: noise)
    assert torch.allclose(image, i, atol=2e-4)
    assert loss.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # An error of 0.1 everywhere; 1/A - 1 at 3, 500 and 999 is 7.4e-4, 11.8 and 24777.
        ({"reconstruction_target": "noise"}, 0.01),
        ({}, 0.01 * (0.0 + 5 + 5) / 3),
        ({"reconstruction_cap": math.inf}, 0.01 * (0.0 + 11.8 + 24777) / 3),
    ],
)
def test_the_weight_of_the_reconstruction(options, expected, make, batch):
    _, loss = remade(make(**options), scaled(batch().u), lambda noise: noise + 0.1)
    assert loss.item() == pytest.approx(expected, rel=2e-3)


def test_uncapped_it_is_the_squared_error_of_the_image(make, batch):
    i = scaled(batch().u)
    image, loss = remade(make(reconstruction_cap=math.inf), i, lambda noise: 0.9 * noise)
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
        method._remake(i, i, torch.full((3, 2, 32, 32), 7.0))
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
    ("inference", "times"),
    [("single_T", [999]), ("single_t0", [0]), ("mean_4", [125, 375, 625, 875]),
     ("ddim_3", [999, 500, 0])],
)  # fmt: skip
def test_the_times_at_which_the_mask_is_seen(inference, times, make, batch):
    method, seen = make(inference=inference), []
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
    build = NetworkBuilder(in_channels=3, classes=2, network=Network())
    method = DiffusionTeacherStudent(build)
    parameters = sum(p.numel() for p in method.student.parameters())
    plain = sum(p.numel() for p in build().parameters())
    assert plain == 1_813_762
    assert parameters - plain == 2 * 9 * 16 + (16 * 64 + 64) + (64 * 16 + 16) == 2416


def test_one_trunk_serves_both_pathways_if_asked_for(make, batch):
    separate, shared = make(), make(pathways="shared_trunk")
    sizes = [sum(p.numel() for p in m.teacher.parameters()) for m in (separate, shared)]
    assert sizes[1] < 0.6 * sizes[0]
    i = scaled(batch().u)
    t = torch.zeros(3, dtype=torch.long)
    assert shared.teacher.image(i, torch.zeros(3, 2, 32, 32), t).shape == i.shape
    backward(shared, batch(), 0.5, "float32")


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
        ({"schedule": "cosine"}, "schedule is one of linear, sigmoid"),
        ({"inference": "mean_0"}, "inference is single_T"),
        ({"rounds": -1}, "rounds is 0 or more"),
        ({"t_prime_max": 1000}, "t_prime_max is a time step below 1000"),
    ],
)
def test_what_cannot_be_is_refused(options, message, make):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize("bundle", ["paper", "authors"])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_bundles_make_finite_steps(bundle, dims, make, batch):
    method = make(dims, **DiffusionTeacherStudent.BUNDLES[bundle])
    figures = backward(method, batch(dims), 0.5, "float32")
    assert all(map(math.isfinite, figures.values()))
    assert torch.isfinite(method.pretrain_loss(batch(dims).u, 0.5)["cycle"])
    assert method.eval()(batch(dims).x).shape[1] == 2


def test_the_pictures_are_a_mask_and_an_image(make, batch):
    method, x = make().eval(), batch().x
    with torch.inference_mode():
        found = method.panel(x)
    assert found["pseudo_label"].shape == (2, 2, 32, 32)
    assert found["reconstruction"].shape == x.shape
    assert found["reconstruction"].abs().max() <= 3
