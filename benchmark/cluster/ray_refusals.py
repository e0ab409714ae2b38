"""Why Ray did not start, or a cluster let nobody in: Ray's own words, and what to do about them."""

import re
import textwrap

from benchmark.errors import ExitCode, UserError
from benchmark.files import is_of_the_disk

_ADVICE = {
    r"version mismatch": "install here the versions of Ray and Python that the cluster has",
    r"AF_UNIX|path.{0,20}too long|socket.{0,30}length": (
        "the path of a socket is too long: set RAY_TMPDIR to a short folder, such as /tmp"
    ),
}
"""Part of Ray's words → what to do, whether it was to be started or reached."""
_ELSEWHERE = (
    "does ray status show its nodes there, and are its ports open to this machine? If it has a "
    "token, this shell needs it too: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH for the file "
    "that holds it (docs/cluster.md)"
)
_HERE = (
    "bench doctor tries it alone; the same command with --trial KEY runs one trial without Ray "
    "(--dry-run -v lists them)"
)
_BUSY = "the machine may be too busy: try again when less runs beside it. Or: "
_DISK = "make room there, or set RAY_TMPDIR to another folder with a short path"
_UNUSABLE = (PermissionError, NotADirectoryError, FileNotFoundError)
_LONGEST = 600  # characters of Ray's own


def refused(error: Exception, address: str | None) -> UserError:
    """What a user reads. error: whatever was raised; address: None for a Ray of one's own."""
    where = f"cannot connect to the Ray cluster at {address}" if address else "Ray does not start"
    own = " ".join(str(error).split()) or type(error).__name__
    shown = textwrap.shorten(own, _LONGEST, placeholder=" …")
    return UserError(f"{where}: {shown}; {_advice(error, own, address)}", ExitCode.RESOURCES)


def _advice(error: Exception, own: str, address: str | None) -> str:
    if is_of_the_disk(error) or isinstance(error, _UNUSABLE):
        return _DISK
    for pattern, advice in _ADVICE.items():
        if re.search(pattern, own, re.IGNORECASE):
            return advice
    if address:
        return _ELSEWHERE
    return (_BUSY if re.search("timed? ?out", own, re.IGNORECASE) else "") + _HERE
