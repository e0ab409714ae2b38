"""What was typed of a grid of trials, as those who plan and run it have it."""

import math
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmark.cluster.cluster import Cluster


def read(typed: "Mapping[str, str | bool | None]") -> dict[str, Any]:
    """Parts of the grid and roles of the splits, read; None where nothing was typed."""
    from benchmark.study.syntax import GRID

    return {
        name: GRID[name](text) if name in GRID and text is not None else text
        for name, text in typed.items()
    }


def listed(lists: "Mapping[str, str | None]") -> list[str]:
    """What was typed with commas, as settings."""
    texts = {
        key: ",".join(f"'{one.strip()}'" for one in text.split(","))
        for key, text in lists.items()
        if text
    }
    return [f"{key}=[{text}]" for key, text in texts.items()]


def cluster(
    address: str | None, gpus_per_trial: str | None, max_concurrent: int | None, **rest: Any
) -> "Cluster":
    """Where trials run. rest: further fields of `Cluster`, as they are."""
    from benchmark.cluster.cluster import Cluster

    if gpus_per_trial == "auto":
        if address is not None:
            raise UserError(
                "--gpus-per-trial auto is for this machine; give a number with --address"
            )
        return Cluster(shares_gpus=True, max_concurrent=max_concurrent, **rest)
    try:
        share = None if gpus_per_trial is None else float(gpus_per_trial)
    except ValueError:
        share = -1.0
    if share is not None and not 0 <= share < math.inf:
        raise UserError(f"--gpus-per-trial is a number from 0, or auto, got {gpus_per_trial}")
    return Cluster(address, share, max_concurrent=max_concurrent, **rest)
