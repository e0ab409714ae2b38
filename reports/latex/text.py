"""Text for LaTeX: escaped, and how wide it is in Computer Modern."""

INDENT = "\N{EN SPACE}"
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "±": r"$\pm$", "–": "--", "−": "$-$", "≈": r"$\approx$", "≥": r"$\geq$",
        "≤": r"$\leq$", "<": "$<$", ">": "$>$", "λ": r"$\lambda$", "×": r"$\times$",
        "²": r"\textsuperscript{2}", "₂": r"\textsubscript{2}", "χ": r"$\chi$",
        "†": r"$^{\dagger}$", INDENT: r"\enspace ",
    }
)  # fmt: skip


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; "5 %" keeps its number and sign together."""
    return text.translate(_LATEX).replace(r" \%", r"\,\%")


_WIDTHS = {
    2.8: "ijlI.,:;'!()[]|", 3.3: " -", 3.9: "frst", 4.5: "ceazv/", 5.0: "goy0123456789–_*" + INDENT,
    5.6: "bdhknpqux", 7.2: "w", 8.4: "m%±−×=≈≤≥+<>",
}  # fmt: skip
_OF_CHARACTER = {character: width for width, own in _WIDTHS.items() for character in own}
_CAPITAL = 7.5


def width(text: str) -> float:
    """About as wide as it is printed at 10 pt, in points; rather too wide."""
    return sum((_OF_CHARACTER.get(character, _CAPITAL) for character in text), 0.0)
