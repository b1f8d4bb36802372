"""Where the images of a training are, as its folder remembers it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_unit.atomic import written_whole


@dataclass(frozen=True, slots=True)
class RunSources:
    """Files, folders and patterns with the images of a training.

    Parameters
    ----------
    a, b
        Of the two domains.
    val_a, val_b
        To measure quality on; empty where a part of `a` and `b` is held out.
    val_paired
        Those correspond one to one.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    val_a: tuple[str, ...] = ()
    val_b: tuple[str, ...] = ()
    val_paired: bool = field(default=False, kw_only=True)

    def write(self, path: Path) -> None:
        """Write them, whole or not at all."""
        with written_whole(path) as partial:
            partial.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> "RunSources":
        """Read them back.

        Raises
        ------
        ValueError
            If there are none, as in folders of earlier versions, or the file is damaged.
        """
        try:
            values = json.loads(path.read_text("utf-8"))
            return cls(
                *(_texts(values[name]) for name in ("a", "b", "val_a", "val_b")),
                val_paired=bool(values["val_paired"]),
            )
        except FileNotFoundError as error:
            raise ValueError(
                f"The training in {path.parent} does not say where its images are; give them, as "
                "when it was begun, with --a and --b."
            ) from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"The file {path} cannot be read ({error!r}); give the images with --a and --b."
            ) from error


def absolute(source: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    """Return the parts of a source as they are found from any working directory."""
    parts = [source] if isinstance(source, str | Path) else source
    return tuple(str(Path(part).absolute()) for part in parts)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise TypeError(f"{value!r} is no list of paths")
    return tuple(value)
