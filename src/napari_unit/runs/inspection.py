"""What a training would take images for, found by a look at a few of them."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DomainInspection:
    """What the images of one domain are.

    Parameters
    ----------
    side
        ``"a"`` or ``"b"``.
    name
        Of the domain.
    n_images
        Files that the source names.
    n_looked_at
        Those of them that were opened: what follows is known of these only.
    n_planes
        Images in them: a stack has several.
    height_px, width_px
        Least and most.
    dtypes
        Types of pixels.
    channels
        Their names.
    scaling
        How intensities are mapped, as in the settings of a training.
    low, high
        Per channel, the pixel values that are taken for black and for white: about what is
        typical, by a sample.
    notes
        What a person should know, in sentences.
    problems
        Why no training can start, in sentences; empty where one can.
    thumbnails
        A few of the images: PNG in base64.
    """

    side: str
    name: str
    n_images: int = 0
    n_looked_at: int = 0
    n_planes: int = 0
    height_px: tuple[int, int] = (0, 0)
    width_px: tuple[int, int] = (0, 0)
    dtypes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    scaling: str = ""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    thumbnails: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "DomainInspection":
        """Read a line back; what it has of a later version is passed over.

        Raises
        ------
        ValueError
            If it is no such line.
        """
        try:
            values: dict[str, Any] = json.loads(line)
            known: dict[str, Any] = {
                name: tuple(value) if isinstance(value := values[name], list) else value
                for name in cls.__dataclass_fields__
            }
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{line!r} is no inspection") from error
        return cls(**known)
