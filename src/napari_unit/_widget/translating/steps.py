"""A thread that takes the steps of a generator, and says in a value how it ended."""

import logging
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import QThreadPool

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that cannot be done, and the sentence that says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Crash:
    """A job that met a fault of the plugin or of a library."""

    error: Exception

    @property
    def sentence(self) -> str:
        """What happened, for users; the traceback is napari's to show."""
        return f"The translation failed unexpectedly ({type(self.error).__name__}: {self.error})."


_TORCH_AFTER_QT = (
    "Windows could not load PyTorch after Qt, a known fault of PyTorch 2.9 and later; start napari "
    'with python -c "import torch, napari.__main__ as n; n.main()", or install PyTorch 2.8.'
)


def _is_torch_after_qt(error: Exception) -> bool:
    """Tell a DLL of torch that cannot be loaded (pytorch/pytorch#166628) from other errors."""
    return getattr(error, "winerror", None) in (126, 1114) and "torch" in str(error)


def refusal_of(outcome: Any) -> str:
    """Return the sentence of an outcome that is no result; empty for others."""
    return outcome.sentence if isinstance(outcome, Refusal | Crash) else ""


class StepWorker(GeneratorWorker):
    """Takes the steps of a generator until it ends or is told to quit, asked between any two.

    Napari's own loop would sleep through a refusal: it takes a RuntimeError for a deleted worker
    and then never finishes, and it leaves the generator to the garbage collector, hence to
    another thread. What is returned is the generator's value, a `Refusal`, a `Crash`, or None
    where it was told to stop.
    """

    def work(self) -> Any:
        """Take the steps; return what came of them."""
        try:
            while not self.abort_requested:
                self.tell(next(self._gen))
            self.aborted.emit()
        except StopIteration as end:
            return end.value
        except (ValueError, OSError, FloatingPointError) as error:
            _logger.debug("A job was refused.", exc_info=error)
            return Refusal(_TORCH_AFTER_QT if _is_torch_after_qt(error) else str(error))
        except MemoryError as error:
            return Refusal(str(error) or "The computer ran out of memory.")
        except Exception as error:
            return Crash(error)
        finally:
            self._gen.close()
        return None

    def tell(self, step: Any) -> None:
        """Pass a step on to the thread that draws."""
        self.yielded.emit(step)

    def begin(self) -> None:
        """Start the thread.

        The worker's own start waits for Qt's next turn, which may be the one that quits: it would
        then run in a Python that is being torn down, and nobody would wait for it.
        """
        QThreadPool.globalInstance().start(self)
