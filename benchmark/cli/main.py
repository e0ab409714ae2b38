"""argv → verb, and what may go wrong → a sentence and an exit code.

Heavy imports stand inside the verbs: `bench --help` must not wait for PyTorch.
"""

import errno
import gc
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable

import typer

from benchmark.cli import data, doctor, list, report, run, studies, tune
from benchmark.cli.options import Verbosity, new_app, say
from benchmark.errors import ExitCode, UserError

app = new_app(
    "Benchmark semi-supervised medical image segmentation methods, fairly and repeatably."
)
app.add_typer(run.app)
app.add_typer(tune.app)
app.add_typer(list.app)
app.add_typer(data.app, name="data")
app.add_typer(report.app)
app.add_typer(studies.app)
app.add_typer(doctor.app)


def main() -> None:
    """Console command `bench`."""
    gc.set_threshold(50_000)  # by default collecting is a sixth of the time that imports take
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(guarded(lambda: app(standalone_mode=False)))


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


def guarded(command: Callable[[], object]) -> int:
    """The exit code of a command. What the user or the world did is said in words; bugs raise."""
    Verbosity.is_on = False
    try:
        code = command() or ExitCode.DONE
        if code == ExitCode.INTERRUPTED:  # Typer turns KeyboardInterrupt into this
            raise KeyboardInterrupt
        return int(code)
    except UserError as error:
        return _said(str(error), error.exit_code)
    except typer.TyperException as error:
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted; the same command continues", err=True)
        return ExitCode.INTERRUPTED
    except SystemExit as leaving:  # Typer's answer to a reader that went away: `bench … | head`
        if isinstance(leaving.__context__, BrokenPipeError):
            return ExitCode.DONE
        raise
    except OSError as error:
        return _said(of_the_world(error), ExitCode.RESOURCES)


def _said(text: str, code: ExitCode) -> int:
    if Verbosity.is_on:
        traceback.print_exc()
    say(f"error: {text}", err=True)
    return code


def of_the_world(error: OSError) -> str:
    """What a disk, a folder or a permission did, and what to do about it."""
    what = f"cannot use {error.filename}" if error.filename else "cannot write"
    why = error.strerror
    advice = "choose another folder with --results, --data-root, --into or --out"
    if isinstance(error, shutil.Error):  # of many files that could not be copied, the first
        source, target, why = error.args[0][0]
        what = f"cannot copy {source} to {target}"
        why = re.sub(r"^\[Errno \d+\] |: '.*", "", why)
    elif error.errno is None:
        return str(error) or type(error).__name__
    if why in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)):
        advice = f"make room, or {advice}"
    return f"{what}: {why}; {advice} (-v shows where it happened)"
