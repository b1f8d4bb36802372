"""What each axis of an image is, in the letters of OME: T, Z, C, Y, X and S for colour samples."""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_unit.domains import Domain

_RGB_NAMES = (("red", "green", "blue"), ("r", "g", "b"))
_LETTER_OF_LABEL = {
    **dict.fromkeys(("y", "row", "rows", "height"), "Y"),
    **dict.fromkeys(("x", "column", "columns", "col", "cols", "width"), "X"),
    **dict.fromkeys(("c", "ch", "channel", "channels"), "C"),
    **dict.fromkeys(("z", "depth", "slice", "slices"), "Z"),
    **dict.fromkeys(("t", "time", "frame", "frames"), "T"),
}
# letters that OME knows, in the order in which leading axes without a name get theirs
_SPARE_LETTERS = "ZTQPARHEBDFGIJKLMNOUVW"


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of an image in order, one letter each.

    Parameters
    ----------
    letters
        Upper case, each once, Y and X among them. C or S is the channel axis (S: the last one,
        colour samples of a pixel); every other letter counts planes.

    Raises
    ------
    ValueError
        If the letters name no image.
    """

    letters: str

    def __post_init__(self) -> None:
        """Refuse letters that leave open which axis is which."""
        letters = self.letters
        allowed = "use T, Z, C, Y, X, S, each once, Y and X among them, as in 'CYX'"
        if not letters.isascii() or not letters.isalpha() or letters != letters.upper():
            raise ValueError(f"The axes are {letters!r}; {allowed}.")
        for letter in letters:
            if letters.count(letter) > 1:
                raise ValueError(f"The axes {letters!r} name {letter} twice; {allowed}.")
        if "Y" not in letters or "X" not in letters:
            lost = "Y" if "X" in letters else "X"
            raise ValueError(f"The axes {letters!r} lack {lost}; {allowed}.")
        if "C" in letters and "S" in letters:
            raise ValueError(
                f"The axes {letters!r} name two channel axes, C and S; write another letter, such "
                "as Q, for the one whose entries are planes of their own."
            )

    @classmethod
    def parse(cls, text: str, ndim: int) -> "Axes":
        """Read what a user wrote for an image of `ndim` axes; lower case is taken too.

        Raises
        ------
        ValueError
            If the letters name no image, or are too many or too few.
        """
        axes = cls(text.strip().upper())
        if len(axes.letters) != ndim:
            raise ValueError(
                f"The axes {axes.letters!r} name {len(axes.letters)} axes, "
                f"but the image has {ndim}; give one letter per axis."
            )
        return axes

    @property
    def channel(self) -> int | None:
        """Position of the channel axis."""
        for letter in "CS":
            if letter in self.letters:
                return self.letters.index(letter)
        return None

    @property
    def y(self) -> int:
        """Position of the Y axis."""
        return self.letters.index("Y")

    @property
    def x(self) -> int:
        """Position of the X axis."""
        return self.letters.index("X")

    @property
    def planes(self) -> tuple[int, ...]:
        """Positions of the axes whose entries are images of their own, in order."""
        return tuple(i for i, letter in enumerate(self.letters) if letter not in "CSYX")

    def channels_in(self, shape: Sequence[int]) -> int:
        """Return the number of channels of an image of this shape; 1 without a channel axis."""
        return 1 if self.channel is None else shape[self.channel]


def letter_of_label(label: str) -> str:
    """Return the letter of the axis that a word such as "channel" or "rows" names; else ""."""
    return _LETTER_OF_LABEL.get(label.strip().lower(), "")


def axes_of_labels(labels: Sequence[str]) -> Axes:
    """Return the axes that a layer's axis labels name.

    Parameters
    ----------
    labels
        One per axis of the layer, without the colour axis of an RGB layer. Napari's own (``-1``,
        ``-2`` ...) and unknown names are planes; without a name for rows and columns, the last
        two axes are Y and X, as napari shows them.

    Raises
    ------
    ValueError
        If two labels name the same axis, or only one of rows and columns is named.
    """
    letters = [letter_of_label(label) for label in labels]
    if "Y" not in letters and "X" not in letters and not any(letters[-2:]):
        letters[-2:] = ["Y", "X"]
    named = [letter for letter in letters if letter]
    if len(set(named)) < len(named) or "Y" not in named or "X" not in named:
        raise ValueError(
            f"The layer's axis labels are {', '.join(map(repr, labels))}, which leaves open which "
            "axis is which; say it with axes=, as in axes='ZYX'."
        )
    spare = iter(s for s in _SPARE_LETTERS if s not in named)
    # from the last to the first: the axis beside the rows is Z, the one before it T
    filled = [letter or next(spare) for letter in reversed(letters)]
    return Axes("".join(reversed(filled)))


def axes_of_file(letters: str) -> Axes:
    """Return the axes that a file names; what it names twice, or not by a letter, are planes.

    Raises
    ------
    ValueError
        If the file names no rows and columns, or two channel axes.
    """
    taken = [letter if letter.isalpha() else "" for letter in letters.upper()]
    spare = iter(letter for letter in _SPARE_LETTERS if letter not in taken)
    unique = [
        letter if letter and letter not in taken[i + 1 :] else next(spare)
        for i, letter in enumerate(taken)
    ]
    return Axes("".join(unique))


def is_rgb(domain: Domain) -> bool:
    """Tell whether a domain's channels are red, green and blue, as its card names them."""
    return tuple(channel.lower() for channel in domain.channels) in _RGB_NAMES


def axes_of_result(source: Axes, shape: Sequence[int], target: Domain) -> Axes:
    """Return the axes of a translation.

    Those of the source, but for the channel axis: RGB becomes the last axis S, one channel needs
    no axis (one that the source had with length 1 stays), other channels stand where they stood,
    or right before rows and columns where there was none.

    Parameters
    ----------
    source, shape
        Of the image that is translated.
    target
        The domain it is translated to.
    """
    bare = "".join(letter for letter in source.letters if letter not in "CS")
    if is_rgb(target):
        return Axes(bare + "S")
    if target.n_channels == 1:
        stays = source.channel is not None and shape[source.channel] == 1
        return source if stays else Axes(bare)
    if "C" in source.letters:
        return source
    first = min(bare.index("Y"), bare.index("X"))
    return Axes(bare[:first] + "C" + bare[first:])


def shape_of_result(
    source: Axes, shape: Sequence[int], result: Axes, n_channels: int
) -> tuple[int, ...]:
    """Return the shape of a translation with the axes `result`."""
    length = dict(zip(source.letters, shape, strict=True))
    length |= {"C": n_channels, "S": n_channels}
    return tuple(length[letter] for letter in result.letters)
