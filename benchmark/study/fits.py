"""Whether images, at the size of a run, suit the network; what becomes of small objects there."""

import math
from collections.abc import Iterator
from pathlib import Path

from benchmark.data import prepared
from benchmark.data.card import Card
from benchmark.data.prepared import Manifest
from benchmark.data.split.parts import parts
from benchmark.errors import ExitCode, UserError
from benchmark.study import labels
from benchmark.study.settings import Conditions, Study
from benchmark.wording import counted, shortened, times


def check_network(study: Study, manifests: dict[str, Manifest]) -> None:
    """`UserError` for an encoder that cannot take the images, or weights that do not exist."""
    network = study.conditions.network
    if network.is_encoder:
        from benchmark.toolkit import encoders  # with PyTorch, which nobody needs to prepare data

        for card in (manifest.card for manifest in manifests.values()):
            encoders.check(
                network,
                in_channels=card.channels,
                classes=len(card.classes),
                sides=study.conditions.size or card.size,
            )
    elif network.weights is not None:
        raise UserError(
            f'the network "{network.name}" has no published weights, got "{network.weights}"; only '
            "encoders have, such as --network resnet34 (bench list networks -v)"
        )


def smaller(conditions: Conditions, card: Card) -> str:
    """What to add to a run whose images were prepared smaller than it asks for; "" of others."""
    if not prepared.is_enlarged(card, conditions.size):
        return ""
    least = 2**conditions.network.halvings
    sides = zip(conditions.size, card.size, strict=True)
    height, width = (min(wanted, made // least * least) for wanted, made in sides)
    return f"size=[{height},{width}]" if height and width else ""


def check_sizes(study: Study, manifests: dict[str, Manifest]) -> None:
    """Refuse to enlarge: what was prepared small has lost its detail, and nobody would see it.

    And images as prepared that the network cannot halve; sizes that are typed are known to be good.
    """
    size, network = study.conditions.size, study.conditions.network
    least = 2**network.halvings
    for manifest in manifests.values():
        made = manifest.card.size
        if prepared.is_enlarged(manifest.card, size):
            instead = smaller(study.conditions, manifest.card)
            raise UserError(
                f"{manifest.name} was prepared at {times(made)}, and this run asks for "
                f"{times(size)}: enlarging brings no detail back. Prepare it with "
                f"size: {size} in its card{f', or add {instead} to the run' if instead else ''}",
                ExitCode.DATA,
            )
        is_3d = study.conditions.for_data(labels.facts_of(manifest)).is_3d
        if size is None and not is_3d and any(side % least for side in made):
            above = [math.ceil(side / least) * least for side in made]
            below = [side // least * least for side in made]
            instead = f", or add size=[{below[0]},{below[1]}] to the run" if all(below) else ""
            raise UserError(
                f"{manifest.name} was prepared at {times(made)}, and the network {network.name} "
                f"halves images {network.halvings} times: their sides must divide by {least}. "
                f"Prepare it with size: {above} in its card{instead}",
                ExitCode.DATA,
            )


def notes_on_lost_objects(
    study: Study, manifests: dict[str, Manifest], data_root: Path
) -> Iterator[str]:
    """What becomes of small objects at the run's size; `UserError` if no test mask keeps any."""
    size = study.conditions.size
    for manifest in manifests.values():
        lost = prepared.lost_in_resizing(data_root, manifest, size)
        if not lost:
            continue
        where = f"{manifest.name} at {times(size)}, prepared at {times(manifest.card.size)}"
        evaluation = parts(manifest, study.conditions.roles).evaluation
        has_any = {case.id for case in manifest.cases if case.foreground > 0}
        tested = has_any & set(evaluation)
        if len(manifest.card.classes) == 2 and tested and tested <= set(lost):
            raise UserError(
                f"{where}: every mask that is evaluated loses its foreground, and all methods "
                "would score 100. Use a larger size",
                ExitCode.DATA,
            )
        yield (
            f"{where}: {counted(len(lost), 'mask')} lose a class to resizing ({shortened(lost)})"
        )
