"""The loop: resuming, pairing, divergence."""

import dataclasses

import pytest
import torch

from benchmark.data.split.budget import Budget
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_trial
from benchmark.study.sources import Code
from benchmark.toolkit.method import Method
from benchmark.training import loop
from benchmark.training.batches import draw_batch
from benchmark.training.evaluate import Diverged, evaluate
from benchmark.training.inference import View
from benchmark.training.layout import arrange
from benchmark.training.loop import backward, train
from benchmark.training.trial import build_method, stage_of
from tests.conftest import TINY

CPU = torch.device("cpu")


def data_of(trial, prepared):
    return for_trial(prepared, Roles(), budget=trial.budget, seed=trial.seed)


def fit(trial, method, data, checkpoint, *, evaluate, log):
    return train(stage_of(trial, data, CPU), method, checkpoint, evaluate=evaluate, log=log)


def run(trial, prepared, checkpoint, evaluate=lambda method: {}):
    data = data_of(trial, prepared)
    method = arrange(build_method(trial, data), data.spatial_dims)
    found = fit(trial, method, data, checkpoint, evaluate=evaluate, log=lambda line: None)
    return method, found


def test_all_methods_see_the_same_batches_and_seeds_see_others(tiny_trials, prepared):
    supervised, cps = tiny_trials()
    other = tiny_trials(dataclasses.replace(TINY, seeds=[1]))[0]
    for step in (0, 7):
        one = draw_batch(supervised, data_of(supervised, prepared), step, CPU)
        two = draw_batch(cps, data_of(cps, prepared), step, CPU)
        three = draw_batch(other, data_of(other, prepared), step, CPU)
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
        assert not torch.equal(one.u, three.u)


def test_images_are_standardised_on_the_train_pool(tiny_trials, prepared):
    trial = tiny_trials()[0]
    trial = dataclasses.replace(
        trial, training=dataclasses.replace(trial.training, batch_unlabelled=64)
    )
    u = draw_batch(trial, data_of(trial, prepared), 0, CPU).u
    assert u.mean((0, 2, 3)).abs().max() < 0.2
    assert (u.std((0, 2, 3)) - 1).abs().max() < 0.2


def test_without_unlabelled_images_the_batch_has_none(tiny_trials, prepared):
    trial = dataclasses.replace(tiny_trials()[0], budget=Budget.of_share(1.0))
    assert draw_batch(trial, data_of(trial, prepared), 0, CPU).u is None


class Killed(Exception):
    pass


def losses(state: loop.State) -> list[dict[str, float]]:
    """The terms of each epoch."""
    return [{n: v for n, v in row.items() if n.startswith("loss_")} for row in state.history]


@pytest.mark.parametrize(
    ("method", "precision", "augmentation"),
    [
        ("cps", "float32", "symmetries"),
        ("cps", "bfloat16", "symmetries"),
        ("cps", "float32", "nnunet"),
        ("bcp", "float32", "symmetries"),
        ("admt[warm=1,period=2]", "float32", "symmetries"),
        ("ssnet", "float32", "symmetries"),
        ("ssnet", "bfloat16", "symmetries"),
    ],
)
@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_killed_run_resumes_to_the_same_bits(
    tiny_trials, prepared, tmp_path, killed_after, method, precision, augmentation
):
    (trial,) = tiny_trials(dataclasses.replace(TINY, methods=[method]))
    conditions = dataclasses.replace(trial.conditions, precision=precision)
    training = dataclasses.replace(trial.training, augmentation=augmentation)
    trial = dataclasses.replace(trial, conditions=conditions, training=training)
    undisturbed, expected = run(trial, prepared, tmp_path / "a.pt")
    calls = []

    def killing(method):
        calls.append(method)
        if len(calls) > killed_after:
            raise Killed
        return {"figure": 1.0}

    with pytest.raises(Killed):
        run(trial, prepared, tmp_path / "b.pt", evaluate=killing)
    torch.rand(17)  # another process has another random state
    resumed, found = run(trial, prepared, tmp_path / "b.pt")
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
    assert losses(found) == losses(expected)


def test_what_a_step_costs_is_counted_half_way(tiny_trials, prepared, tmp_path):
    """Not in the first phase of bcp, which costs what the baseline does; later it is two passes of
    the student and one without gradient of the teacher: 2 1/3 times as much, a little more as no
    gradient reaches the images.
    """
    found = {}
    for method in ("supervised", "bcp"):
        (trial,) = tiny_trials(dataclasses.replace(TINY, methods=[method]))
        found[method] = run(trial, prepared, tmp_path / f"{method}.pt")[1].flops_per_step
    assert 2.3 < found["bcp"] / found["supervised"] < 2.5


def test_a_checkpoint_made_by_other_code_is_not_continued(
    tiny_trials, prepared, tmp_path, monkeypatch
):
    trial = tiny_trials()[0]
    expected, _ = run(trial, prepared, tmp_path / "a.pt")
    monkeypatch.setattr("benchmark.study.sources.code_of", lambda method: Code("another", "one"))
    lines = []
    data = data_of(trial, prepared)
    method = build_method(trial, data)
    fit(trial, method, data, tmp_path / "a.pt", evaluate=lambda m: {}, log=lines.append)
    assert lines[0].startswith("the checkpoint was made by other code") and "epoch 1/3" in lines[1]
    pairs = zip(expected.parameters(), method.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"\x00" * len(content),
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
        lambda content: content.partition(b"\n")[2],  # as versions without checksums wrote it
    ],
    ids=["empty", "half", "one byte", "zeros", "one bit", "no checksum"],
)
def test_a_damaged_checkpoint_is_set_aside(tiny_trials, prepared, tmp_path, damage):
    trial = tiny_trials()[0]
    file = tmp_path / "a.pt"
    expected, _ = run(trial, prepared, file)
    broken = damage(file.read_bytes())
    file.write_bytes(broken)
    lines = []
    data = data_of(trial, prepared)
    method = build_method(trial, data)
    fit(trial, method, data, file, evaluate=lambda m: {}, log=lines.append)
    assert lines[0] == "the checkpoint is damaged: now a.pt.damaged; starting over"
    assert (tmp_path / "a.pt.damaged").read_bytes() == broken
    pairs = zip(expected.parameters(), method.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_reading_the_test_set_on_the_way_influences_nothing(tiny_trials, prepared, tmp_path):

    trial = tiny_trials()[1]
    unread, _ = run(dataclasses.replace(trial, evaluate_every=0), prepared, tmp_path / "a.pt")
    read, _ = run(
        trial,
        prepared,
        tmp_path / "b.pt",
        evaluate=lambda m: evaluate(m, View(data_of(trial, prepared), CPU)).scores,
    )
    assert all(
        torch.equal(a, b) for a, b in zip(unread.parameters(), read.parameters(), strict=True)
    )


def test_the_history_has_one_row_per_epoch_with_terms_and_diagnostics(
    tiny_trials, prepared, tmp_path
):
    _, found = run(tiny_trials()[1], prepared, tmp_path / "a.pt")
    assert [row["epoch"] for row in found.history] == [1, 2, 3]
    assert [row["step"] for row in found.history] == [3, 6, 9]
    assert {"loss_supervised", "loss_cross", "agreement", "learning_rate"} <= set(found.history[0])
    assert found.flops_per_step > 1e6


class Broken(Method):
    def __init__(self, build):
        super().__init__()
        self.network = build()

    def loss(self, batch, progress):
        factor = float("nan") if progress > 0.5 else 1.0
        return {"supervised": self.network(batch.x).mean() * factor}


def test_a_loss_that_is_not_finite_stops_the_trial_and_says_where(
    tiny_trials, prepared, build, tmp_path
):
    trial = tiny_trials()[0]
    with pytest.raises(
        Diverged, match=r"not finite at step 4 \(learning rate 0.003\): supervised nan"
    ):
        fit(
            trial,
            Broken(build(channels=3)),
            data_of(trial, prepared),
            tmp_path / "a.pt",
            evaluate=lambda m: {},
            log=lambda line: None,
        )


def test_a_gpu_is_asked_seldom_and_still_names_the_first_bad_step(tiny_trials, prepared):
    """NaN at step 4 and 6; it is looked at after ten steps. TINY's rate is constant."""
    trial = tiny_trials()[0]
    watch = loop._Watch(stage_of(trial, data_of(trial, prepared), CPU), every=10)
    for step in range(9):
        loss = torch.tensor(float("nan") if step in (4, 6) else 0.5)
        watch.see(step, {"loss_supervised": loss, "loss_other": torch.tensor(float(step))})
    with pytest.raises(
        Diverged, match=r"at step 4 \(learning rate 0.003\): supervised nan, other 4"
    ):
        watch.see(9, {"loss_supervised": torch.tensor(0.5), "loss_other": torch.tensor(9.0)})
    with pytest.raises(Diverged, match="at step 4"):
        watch.look()


class Parts(Method):
    """Loss a² in one dictionary or in two parts."""

    def __init__(self, as_parts: bool):
        super().__init__()
        self.as_parts, self.a = as_parts, torch.nn.Parameter(torch.tensor(3.0))

    def loss(self, batch, progress):
        if not self.as_parts:
            return {"one": self.a**2, "two": 2 * self.a**2}
        return ({name: f * self.a**2} for name, f in (("one", 1), ("two", 2)))


@pytest.mark.parametrize("as_parts", [False, True])
def test_gradients_of_yielded_parts_add_up(as_parts, batch):
    """d(a² + 2 a²)/da at 3 is 18."""
    method = Parts(as_parts)
    assert backward(method, batch(), 0.5, "float32") == {"loss_one": 9.0, "loss_two": 18.0}
    assert method.a.grad.item() == 18.0


def test_mixed_precision_computes_in_bfloat16(tiny_trials, prepared, batch):
    """What heads give, and so losses, are float32; and so are parameters and gradients."""
    trial = tiny_trials()[0]
    data = data_of(trial, prepared)
    method = build_method(trial, data)
    inside, logits = [], []
    method.network.blocks[0][0].register_forward_hook(lambda m, i, z: inside.append(z.dtype))
    method.network.register_forward_hook(lambda m, i, z: logits.append(z.dtype))
    for precision in ("bfloat16", "float32"):
        backward(method, draw_batch(trial, data, 0, CPU), 0.5, precision)
        evaluate(method, View(data, CPU, None, precision))
    assert set(inside[: len(inside) // 2]) == {torch.bfloat16}
    assert set(inside[len(inside) // 2 :]) == {torch.float32}
    assert set(logits) == {torch.float32}
    assert {p.dtype for p in method.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in method.parameters()} == {torch.float32}


def test_a_checkpoint_is_replaced_as_a_whole(tiny_trials, prepared, tmp_path, monkeypatch):
    trial = tiny_trials()[0]
    run(trial, prepared, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()

    def dies_half_way(state, file):
        file.write(b"half")
        raise Killed

    monkeypatch.setattr(loop.torch, "save", dies_half_way)
    longer = dataclasses.replace(trial, training=dataclasses.replace(trial.training, epochs=4))
    with pytest.raises(Killed):
        run(longer, prepared, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == before


class OneWeight(Method):
    """Its loss has the gradient (3, 4), of norm 5."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))


@pytest.mark.parametrize(("clip", "moved"), [(0.0, (3, 4)), (10.0, (3, 4)), (1.0, (0.6, 0.8))])
def test_a_gradient_is_no_longer_than_it_may_be(tiny_trials, prepared, clip, moved):
    trial = tiny_trials()[0]
    changes = {
        "optimiser": "sgd", "learning_rate": 1.0, "momentum": 0.0, "weight_decay": 0.0,
        "gradient_clip": clip,
    }  # fmt: skip
    training = dataclasses.replace(trial.training, **changes)
    trial = dataclasses.replace(trial, training=training)
    stage, method = stage_of(trial, data_of(trial, prepared), CPU), OneWeight()
    optimiser = loop.build_optimiser(method, training)
    (method.weight * torch.tensor([3.0, 4.0])).sum().backward()
    loop.advance(stage, method, optimiser, 0)
    assert method.weight.tolist() == pytest.approx([-x for x in moved], abs=1e-5)


def test_the_weight_decay_of_adamw_is_none_of_the_gradients(tiny_trials):
    """Without a gradient it shrinks weights by learning rate times decay: 1 - .1 · .5."""
    changes = {"optimiser": "adamw", "learning_rate": 0.1, "weight_decay": 0.5}
    training = dataclasses.replace(tiny_trials()[0].training, **changes)
    method = OneWeight()
    method.weight.data.fill_(1.0)
    optimiser = loop.build_optimiser(method, training)
    method.weight.grad = torch.zeros(2)
    optimiser.step()
    assert method.weight.tolist() == pytest.approx([0.95, 0.95])
    assert optimiser.defaults["betas"] == tuple(training.betas)
