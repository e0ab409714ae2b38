"""A terminal, as far as live lines need one: what a program writes to it, as lines of a screen."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
_PIECE = re.compile(r"\x1b\[([?\d;]*)([a-zA-Z])|[\r\n]|[^\x1b\r\n]+")


class Screen:
    """As many lines as are written; a line is as long as it is: one that is too long would show."""

    def __init__(self) -> None:
        self.lines, self._row, self._column = [""], 0, 0

    def feed(self, text: str) -> None:
        for piece in _PIECE.finditer(text):
            if piece[2]:
                self._control(piece[1], piece[2])
            elif piece[0] == "\r":
                self._column = 0
            elif piece[0] == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            else:
                line = self.lines[self._row].ljust(self._column)
                self.lines[self._row] = (
                    line[: self._column] + piece[0] + line[self._column + len(piece[0]) :]
                )
                self._column += len(piece[0])

    def _control(self, number: str, letter: str) -> None:
        if letter == "A":
            self._row -= int(number or 1)
        elif letter == "K":
            assert number == "2"
            self.lines[self._row] = ""
        else:
            assert letter in "mhl", (number, letter)  # colours, and the cursor's being seen


def run_in_terminal(script: str, columns: int, *arguments: str, **environment: str):
    """The script's output, and the screen every quarter of a second and at the end."""
    main, side = pty.openpty()
    resize(side, columns)
    removed = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    given = {name: value for name, value in os.environ.items() if name not in removed}
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=side,
        stdout=side,
        stderr=side,
        cwd=CHECKOUT,
        env=given | {"TERM": "xterm-256color", "PYTHONPATH": str(CHECKOUT)} | environment,
    )
    os.close(side)
    written, screen, shots = "", Screen(), []
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        if not select.select([main], [], [], 0.25)[0]:
            shots.append(list(screen.lines))
            continue
        try:
            piece = os.read(main, 2**16).decode()
        except OSError:  # it has ended
            break
        written += piece
        screen.feed(piece)
        shots.append(list(screen.lines))
    os.close(main)
    assert process.wait(timeout=20) == 0, written
    return written, [*shots, list(screen.lines)]


def resize(terminal: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
