"""argv → verb, and what may go wrong → a sentence and an exit code.

Heavy imports stand inside the verbs: `bench --help` must not wait for PyTorch.
"""

import difflib
import errno
import gc
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from benchmark import __version__, scratch
from benchmark.cli import check, data, doctor, list, new, predict, report, run, studies, tune
from benchmark.cli.options import Verbosity, examples, new_app, say
from benchmark.errors import ExitCode, UserError

_ALIKE = 0.8  # of two names of options, of which one is the other with a slip

app = new_app(
    "Benchmark semi-supervised medical image segmentation methods, fairly and repeatably.",
    completes=True,
)
app.add_typer(run.app)
app.add_typer(tune.app)
app.add_typer(list.app)
app.add_typer(data.app, name="data")
app.add_typer(new.app, name="new")
app.add_typer(check.app)
app.add_typer(report.app)
app.add_typer(studies.app)
app.add_typer(predict.app)
app.add_typer(doctor.app)


def _print_version(value: bool) -> bool:
    if value:
        say(f"semiseg-bench {__version__}")
        raise typer.Exit
    return value


@app.callback(
    epilog=examples(
        "bench run --preset demo    # three methods on synthetic images: three minutes",
        "bench report",
        "bench list datasets        # real ones, and where to get them",
    )
)
def _bench(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version, and exit."
        ),
    ] = False,
) -> None:
    """Options before the verb."""


def main() -> None:
    """Console command `bench`."""
    gc.set_threshold(50_000)  # by default collecting is a sixth of the time that imports take
    for asking in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):  # SLURM warns with the last
        if signal.getsignal(asking) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(asking, _interrupt)
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
        return _misused(error)
    except (KeyboardInterrupt, typer.Abort) as stopped:
        return _interrupted(stopped)
    except SystemExit as leaving:  # Typer's answer to a reader that went away: `bench … | head`
        if isinstance(leaving.__context__, BrokenPipeError):
            return ExitCode.DONE
        raise
    except OSError as error:
        return _said(of_the_world(error), ExitCode.RESOURCES)


def _interrupted(stopped: BaseException) -> ExitCode:
    if isinstance(stopped.__cause__, EOFError):  # a bug, which Typer takes for an end of typing
        raise stopped.__cause__
    say("interrupted; the same command continues", err=True)
    return ExitCode.INTERRUPTED


def _misused(error: typer.TyperException) -> int:
    """What was typed wrongly; of an option of other verbs, which these are."""
    option, context = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    if option and context is not None:
        own = [name for parameter in context.command.params for name in parameter.opts]
        is_slip = difflib.get_close_matches(option, own, cutoff=_ALIKE)
        if not is_slip and (elsewhere := _having(option)):
            return _said(f"{context.command_path} has no option {option}; {elsewhere}")
    error.show()
    return ExitCode.USAGE


def _having(option: str) -> str:
    """Which verbs have the option; "" if none has, or none was meant."""
    found = [
        " ".join(("bench", *words))
        for words, verb in verbs()
        if any(option in parameter.opts for parameter in verb.params)
    ]
    return f"{', '.join(found)} {'have' if len(found) > 1 else 'has'} it" if found else ""


def verbs() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every verb by its words."""
    waiting = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop(0)
        inner = getattr(command, "commands", {})
        waiting += [((*words, name), one) for name, one in inner.items()]
        if not inner:
            yield words, command


def _said(text: str, code: ExitCode = ExitCode.USAGE) -> int:
    if Verbosity.is_on:
        traceback.print_exc()
    say(f"error: {text}", err=True)
    return code


def of_the_world(error: OSError) -> str:
    """What a disk, a folder or a permission did, and what to do about it."""
    what = f"cannot use {error.filename}" if error.filename else "cannot write"
    why = error.strerror
    advice = "choose another folder with --results, --data-root, --into, --out or --preview"
    if scratch.holds(str(error.filename)) or "temporary directory" in str(why):
        advice = "set TMPDIR to a folder elsewhere"
    if isinstance(error, shutil.Error):  # of many files that could not be copied, the first
        source, target, why = error.args[0][0]
        what = f"cannot copy {source} to {target}"
        why = re.sub(r"^\[Errno \d+\] |: '.*", "", why)
    elif error.errno is None:
        return str(error) or type(error).__name__
    if why in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)):
        advice = f"make room, or {advice}"
    return f"{what}: {why}; {advice} (-v shows where it happened)"
