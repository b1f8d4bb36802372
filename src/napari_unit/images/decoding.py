"""What goes wrong when a file is decoded."""

import struct
import tokenize
import zipfile
import zlib

from napari_unit.engine.system_memory import available_system_bytes

_LONGEST_CAUSE = 300
"""Characters of a decoder's complaint that are passed on."""


class UnreadableError(Exception):
    """A decoder's complaint; with the path in front of it, it becomes one sentence."""


class TooLargeError(UnreadableError):
    """The same of a file for which there is not enough memory."""


class PixelsError(OSError):
    """Pixels of a file that cannot be read; the message says which file and where in it."""


# decoders raise subclasses of these, and KeyError and the like over what they did not expect
DECODING_ERRORS = (
    ValueError,
    RuntimeError,
    OSError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
    EOFError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def first_line(error: BaseException) -> str:
    """Return what an error says, as the end of a sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = "".join(c if c.isprintable() else "?" for c in lines[0])
    if len(said) > _LONGEST_CAUSE:
        said = said[:_LONGEST_CAUSE] + "…"
    return said.rstrip(".:; ") or type(error).__name__


def check_piece(n_bytes: int, what: str = "pieces") -> None:
    """Refuse what is decoded at once and takes more memory than there is.

    Parameters
    ----------
    n_bytes
        That it takes when it is decoded; half of the free memory may go into it.
    what
        Of the file is decoded at once.

    Raises
    ------
    TooLargeError
        If they are too many.
    """
    free = available_system_bytes()
    if free is not None and n_bytes > free // 2:
        raise TooLargeError(
            f"its {what} must be decoded at once, to {gigabytes(n_bytes)}, and "
            f"{gigabytes(free)} of memory are free; store it in tiles or chunks of a few hundred "
            "pixels"
        )


def gigabytes(n_bytes: int) -> str:
    """Return a number of bytes in words."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes < 10**15 else "a million GB and more"
