"""Where trials run, without Ray: what a user says of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """Where trials run, and what each one takes."""

    address: str | None = None
    """Of a running Ray cluster ("auto", "host:6379"); None starts one on this machine."""
    gpus_per_trial: float | None = None
    """A fraction lets trials share a GPU; None: 1 where there is a GPU, else 0."""
    shares_gpus: bool = False
    """As many trials on a GPU as the forecast says that it holds, instead."""
    max_concurrent: int | None = None
    keeps_going: bool = False
    """Does a variant of which every trial fails end nothing?"""
    grace: float = 20.0
    """Seconds from being asked to end to being killed: SLURM and Kubernetes wait 30."""
    suffix: str = ""
    """Of the files of this part of the grid: shards that run side by side have each their own."""
