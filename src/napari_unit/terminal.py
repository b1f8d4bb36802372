"""What is printed, on any terminal."""

import io
import sys


def print_anything() -> None:
    """Let characters that a terminal or pipe does not have be printed as question marks.

    Where output goes to a file or a pipe, Windows takes an encoding without arrows, and printing
    one would end the program.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
