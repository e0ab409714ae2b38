"""Images and networks lie in memory as processors like them, from the batch to the logits."""

import pytest
import torch
from torch import nn

from benchmark.provenance import has_bfloat16
from benchmark.study.settings import Conditions
from benchmark.toolkit.networks import UNet
from benchmark.training.job import Impossible, settle
from benchmark.training.layout import arrange, arranged, memory_format

CPU = torch.device("cpu")
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


def unet(dims: int) -> UNet:
    return UNet(3, 2, spatial_dims=dims, widths=[4, 8, 8], dropout=[0.1, 0.1, 0.1])


def test_every_convolution_gets_channels_last_and_weights_that_lie_so():
    """Converted once, where images enter: nothing in between turns them back.

    Of volumes PyTorch does, for 1 × 1 × 1 convolutions of small batches on one thread.
    """
    dims = 2
    network = arrange(unet(dims), dims)
    seen = []

    def look(module, inputs, output):
        seen.append([module.weight, *inputs, output])

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(look)
    network(arranged(torch.randn(2, 3, *[8] * dims))).sum().backward()
    assert len(seen) == 13  # two a block, three levels down and two up, two to reduce, the head
    odd = [
        v.shape for found in seen for v in found if not v.is_contiguous(memory_format=LAST[dims])
    ]
    assert odd == []


@pytest.mark.parametrize("dims", [2, 3])
def test_the_layout_changes_nothing_but_rounding(dims):
    torch.manual_seed(0)
    network, x = unet(dims).eval(), torch.randn(2, 3, *[8] * dims)
    first = network(x)
    assert torch.allclose(arrange(network, dims)(arranged(x)), first, atol=1e-5)


def test_the_layout_of_each_device():
    assert memory_format(CPU, 3) == torch.channels_last_3d
    assert memory_format(torch.device("cuda"), 3) == torch.contiguous_format
    assert memory_format(torch.device("cuda"), 2) == memory_format(CPU, 2) == torch.channels_last


def test_a_batch_is_arranged_before_a_method_sees_it(tiny_trials, prepared):
    from benchmark.training.batches import draw_batch
    from tests.training.test_loop import data_of

    trial = tiny_trials()[1]
    batch = draw_batch(trial, data_of(trial, prepared), 0, CPU)
    for images in (batch.x, batch.u):
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert not images.is_contiguous()


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("flags : fpu avx512_bf16 sse", True),
        ("Features : bf16 asimd", True),
        ("flags : avx2", False),
    ],
)
def test_a_processor_says_whether_it_has_bfloat16(text, has, tmp_path):
    (tmp_path / "cpuinfo").write_text(text)
    assert has_bfloat16(tmp_path / "cpuinfo") == has
    assert not has_bfloat16(tmp_path / "none")


def test_what_processors_cannot_do_fails_with_a_sentence():
    with pytest.raises(Impossible, match="precision=tf32 is of GPUs"):
        settle(Conditions(precision="tf32"), CPU)
