"""How often networks see the images of a step: what the header says under `Cost:`, and counted."""

import re

import torch

from benchmark.contract.learning import Found
from benchmark.contract.subject import Form, Subject, batch
from benchmark.study import methods
from benchmark.toolkit import encoders, networks
from benchmark.toolkit.encoders import EncoderUNet
from benchmark.toolkit.method import Batch, Method
from benchmark.toolkit.networks import UNet
from benchmark.training.loop import backward

_STREAMS = ("x", "u", "mixed")  # labelled, unlabelled, and those made of one of each


def passes(subject: Subject, form: Form) -> Found:
    """As stated, in batches whose totals no other numbers of passes have: 2 + 3, 3 + 2, 2 + 2."""
    two, three = batch(form.dims), batch(form.dims, seed=1)
    y = torch.cat([two.y, three.y[:1]])
    stated = stated_passes(methods.header_of(subject.method).partition("Cost:")[2])
    for data in (two, Batch(two.u, y, two.x), Batch(two.x, two.y, two.x)):
        amounts = (len(data.x), len(data.u), min(len(data.x), len(data.u)))
        seen = images_seen(subject.built(form), data)
        for part, of_part in stated.items():
            expected = sum(n * of_part[s] for n, s in zip(amounts, _STREAMS, strict=True))
            if seen[part] != expected:
                yield (
                    f"the header's Cost: says that {part}s see {expected} images of a step with "
                    f"{amounts[0]} labelled and {amounts[1]} unlabelled ones, and they see "
                    f"{seen[part]}"
                )
                return


def stated_passes(cost: str) -> dict[str, dict[str, int]]:
    """How often an encoder and a decoder see an image of each stream, as under `Cost:`.

    "3 passes of x, 1 of u, 2 of mixed", and as much for the decoders unless "decoders: 4 of x, …"
    follows.
    """
    of_encoders, separate, of_decoders = cost.partition("decoders:")
    return {
        "encoder": _passes(of_encoders),
        "decoder": _passes(of_decoders if separate else of_encoders),
    }


def _passes(text: str) -> dict[str, int]:
    found = dict.fromkeys(_STREAMS, 0)
    for n, stream in re.findall(r"(\d+)(?:\s+pass(?:es)?)?\s+of\s+(x|u|mixed)\b", text):
        found[stream] += int(n)
    return found


def images_seen(method: Method, data: Batch) -> dict[str, int]:
    """Images that the encoders and the decoders of a method see in one step, none counted twice."""
    seen = {"encoder": 0, "decoder": 0}

    def counter(part):
        def count(module, inputs, _):
            seen[part] += len(inputs[0][0] if part == "decoder" else inputs[0])  # that is a list

        return count

    for module in method.modules():
        if isinstance(module, UNet):
            module.blocks[0].register_forward_hook(counter("encoder"))
        elif isinstance(module, EncoderUNet):
            module.encoder.register_forward_hook(counter("encoder"))
        elif isinstance(module, networks.Decoder | encoders.Decoder):
            module.register_forward_hook(counter("decoder"))
    torch.manual_seed(0)
    backward(method, data, 0.5, "float32")
    return seen
