"""What people write by hand or save from a spreadsheet: cards, lists and tables, as text."""

import codecs
import unicodedata

_QUOTES = "\"'"


def decoded(content: bytes, name: str) -> str:
    """UTF-8, or what an editor marks at the start as UTF-16; `ValueError` names file and line."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{name} is not UTF-8 (line {line} holds the byte 0x{content[error.start]:02x}): "
            "save it as UTF-8"
        ) from error


def listed(content: bytes, name: str) -> list[str]:
    """A list of names, one a line, each once; what follows # is a remark, quotes do not count.

    `ValueError` for a table.
    """
    lines = [line.partition("#")[0].strip() for line in decoded(content, name).splitlines()]
    names = [unicodedata.normalize("NFC", line.strip(_QUOTES)) for line in lines]
    if columns := [one for one in names if "\t" in one or ";" in one]:
        raise ValueError(f"{name} has one name a line, got {columns[0]!r}")
    return list(dict.fromkeys(filter(None, names)))
