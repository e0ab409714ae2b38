"""Text for LaTeX: escaped, and how wide it is in Computer Modern."""

import re
import unicodedata

INDENT = "\N{EN SPACE}"
_APART = "\N{WORD JOINER}"
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "varphi",
    "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta",
    "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "±": r"$\pm$", "–": "--", "−": "$-$", "≈": r"$\approx$", "≥": r"$\geq$",
        "≤": r"$\leq$", "<": "$<$", ">": "$>$", "×": r"$\times$",
        "²": r"\textsuperscript{2}", "₂": r"\textsubscript{2}",
        **{letter: f"$\\{name}$" for letter, name in _GREEK.items()},
        "†": r"$^{\dagger}$", INDENT: r"\enspace ", _APART: "{}",
    }
)  # fmt: skip


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; "5 %" keeps its number and sign together."""
    apart = re.sub("-(?=-)", "-" + _APART, text)  # LaTeX would make a dash of two
    return apart.translate(_LATEX).replace(r" \%", r"\,\%")


_LATIN = "\N{LATIN SMALL LETTER Z WITH CARON}"  # the last that pdfLaTeX knows by itself


def beyond_latin(text: str) -> str:
    """Letters and signs, each once, that pdfLaTeX cannot print: those of other scripts."""
    signs = sorted({sign for sign in text if sign > _LATIN})
    return "".join(sign for sign in signs if unicodedata.category(sign)[0] in "LMS")


_WIDTHS = {
    2.8: "ijlI.,:;'!()[]|", 3.3: " -", 3.9: "frst", 4.5: "ceazv/", 5.0: "goy0123456789–_*" + INDENT,
    5.6: "bdhknpqux", 7.2: "w", 8.4: "m%±−×=≈≤≥+<>",
}  # fmt: skip
_OF_CHARACTER = {character: width for width, own in _WIDTHS.items() for character in own}
_CAPITAL = 7.5


def width(text: str) -> float:
    """About as wide as it is printed at 10 pt, in points; rather too wide."""
    return sum((_OF_CHARACTER.get(character, _CAPITAL) for character in text), 0.0)
