"""What goes wrong when a file is decoded."""

import struct
import zipfile
import zlib


class UnreadableError(Exception):
    """A decoder's complaint; with the path in front of it, it becomes one sentence."""


# decoders raise subclasses of these, and KeyError and the like over what they did not expect
DECODING_ERRORS = (
    ValueError,
    RuntimeError,
    OSError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def first_line(error: Exception) -> str:
    """Return what an error says, as the end of a sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
