"""The verb check: does a method keep the contract?"""

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import completion
from benchmark.cli.options import Verbose, Verbosity, examples, new_app, say
from benchmark.errors import ExitCode, UserError
from benchmark.wording import counted

if TYPE_CHECKING:
    from benchmark.contract.checks import Finding

app = new_app()


@app.command(
    short_help="Check a method of your own: does it keep the contract?",
    epilog=examples(
        "bench check cps", 'bench check "cps[weight=0.5]"', "bench check my_method.py --quick"
    ),
)
def check(
    method: Annotated[
        str,
        typer.Argument(
            help="A method's name, or its file (NAME.py); with hyper-parameters as in "
            '"cps[weight=0.5]".',
            autocompletion=completion.one_method,
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what takes long: does it fit one batch?")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Check that a method keeps the contract: in 2D, in 3D, and around an encoder.

    What is wrong is printed in words, and ends with exit code 5.
    """
    import torch

    from benchmark.contract import checks, subject

    torch.set_num_threads(1)  # as in trials
    found = subject.of_text(method)
    said: set[str] = set()
    for one in checks.CHECKS:
        if one.is_slow and quick:
            continue
        if reason := one.left_out(found):
            say(f"left out  {one.rule}: {reason}")
            continue
        by_form = {str(form): checks.findings(one, found, form) for form in one.forms}
        say("\n".join(_lines(one.rule, by_form, said)))
    if said:
        raise UserError(
            f"{method} breaks the contract: {counted(len(said), 'finding')} (docs/own-method.md "
            "explains what is asked; -v shows where an error was raised)",
            ExitCode.PLUGIN,
        )
    say(f"{method} keeps the contract")


def _lines(rule: str, by_form: "dict[str, list[Finding]]", said: set[str]) -> list[str]:
    """One line if all is well; else one for each finding, and of which forms.

    said: what was printed of other rules, as an error that breaks several; grows.
    """
    forms: dict[str, list[str]] = {}
    traces = {}
    for form, found in by_form.items():
        for one in found:
            forms.setdefault(one.text, []).append(form)
            traces[one.text] = one.trace
    lines = []
    for text, where in forms.items():
        of = f" ({', '.join(where)})" if len(by_form) > 1 else ""
        lines.append(f"finding   {rule}{of}: {'as above' if text in said else text}")
        if Verbosity.is_on and traces[text] and text not in said:
            lines.append(traces[text].rstrip())
    said.update(forms)
    return lines or [f"ok        {rule}"]
