"""What went wrong: a sentence for everyone, and details for whoever is asked for help."""

import platform
import traceback
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

REFUSALS = (ValueError, OSError, MemoryError, FloatingPointError)
"""Errors whose message says to a person what cannot be done, and why."""
_PACKAGES = ("napari-unit", "napari", "torch", "numpy", "zarr", "tifffile")
_TORCH_AFTER_QT = (
    "Windows could not load PyTorch after Qt, a known fault of PyTorch 2.9 and later; start napari "
    'with python -c "import torch, napari.__main__ as n; n.main()", or install PyTorch 2.8.'
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something cannot be done.

    Parameters
    ----------
    sentence
        What came, what is allowed, what to do.
    details
        Where in the code it happened, and the versions of what took part.
    """

    sentence: str
    details: str = ""

    @classmethod
    def refused(cls, error: Exception) -> "Trouble":
        """Return what one of `REFUSALS` says."""
        sentence = str(error) or "The computer ran out of memory."
        # a DLL of torch that cannot be loaded (pytorch/pytorch#166628)
        if getattr(error, "winerror", None) in (126, 1114) and "torch" in str(error):
            sentence = _TORCH_AFTER_QT
        return cls(sentence, _details(error))

    @classmethod
    def unexpected(cls, error: Exception, what: str) -> "Trouble":
        """Return what is said of a fault of the plugin or of a library."""
        said = f"{what} failed unexpectedly ({type(error).__name__}: {error})."
        return cls(said, _details(error))


def _details(error: Exception) -> str:
    told = "".join(traceback.format_exception(error)).rstrip()
    versions = ", ".join(f"{package} {_version(package)}" for package in _PACKAGES)
    return f"{told}\n\n{versions}; Python {platform.python_version()}, {platform.platform()}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
