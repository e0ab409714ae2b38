import pytest
import torch

from methods.supervised import Supervised


def test_the_loss_is_the_criterion_on_the_labelled_images(build, batch):
    """All weights of the head 0: uniform logits, cross entropy ln 2."""
    method = Supervised(build())
    torch.nn.init.zeros_(method.network.output.weight)
    assert method.loss(batch(), 0.5)["supervised"].item() == pytest.approx(0.6931472, abs=1e-6)
