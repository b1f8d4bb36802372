"""Where a layer stands in the world: the seven fields that a translation must not lose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.axes import Axes

# pint's name of a unit of length: OME's symbol, metres
_LENGTHS = {
    "meter": ("m", 1.0),
    "centimeter": ("cm", 1e-2),
    "millimeter": ("mm", 1e-3),
    "micrometer": ("µm", 1e-6),
    "micron": ("µm", 1e-6),
    "nanometer": ("nm", 1e-9),
    "angstrom": ("Å", 1e-10),
    "inch": ("in", 0.0254),
}
NAME_OF_SYMBOL = {symbol: name for name, (symbol, _) in _LENGTHS.items() if name != "micron"}
"""Names of units of length by their symbols."""


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Physical size of a pixel.

    Parameters
    ----------
    y, x
        Of its sides, in `unit`.
    z
        Distance of planes, in `unit`; None where it is not known.
    unit
        As OME writes it: ``"µm"``, ``"nm"`` ...; ``"pixel"`` where sizes are relative.
    """

    y: float
    x: float
    z: float | None = None
    unit: str = "µm"


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The transforms of a layer with n axes, and what its axes are called.

    Parameters
    ----------
    scale, translate
        Shape (n,).
    rotate, shear
        Shape (n, n); the shear has ones on its diagonal.
    affine
        Shape (n + 1, n + 1).
    units, axis_labels
        A name per axis.
    """

    scale: NDArray[np.float64]
    translate: NDArray[np.float64]
    rotate: NDArray[np.float64]
    shear: NDArray[np.float64]
    affine: NDArray[np.float64]
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]

    @classmethod
    def of_layer(cls, layer: Any) -> "Placement":
        """Read the seven fields of a napari layer."""
        return cls.of_state(
            {
                "scale": layer.scale,
                "translate": layer.translate,
                "rotate": layer.rotate,
                "shear": layer.shear,
                "affine": layer.affine.affine_matrix,
                "units": layer.units,
                "axis_labels": layer.axis_labels,
            },
            layer.ndim,
        )

    @classmethod
    def of_state(cls, state: Mapping[str, Any], ndim: int) -> "Placement":
        """Read the seven fields from the state of a layer, as napari gives it to writers.

        Parameters
        ----------
        state
            What is left out, is as napari has it for an image without it.
        ndim
            Axes of the layer, without colour.

        Raises
        ------
        ValueError
            If a field has not a value, or a row and a column, for each axis.
        """
        shear = state.get("shear")
        if shear is not None and np.ndim(shear) == 1:  # napari gives what is above the diagonal
            above, shear = shear, np.eye(ndim)
            shear[np.triu_indices(ndim, 1)] = above

        def field(name: str, default: NDArray[np.float64]) -> NDArray[np.float64]:
            given = shear if name == "shear" else state.get(name)
            found = default if given is None else np.array(given, float)
            if found.shape != default.shape:
                raise ValueError(
                    f"The {name} of a layer of {ndim} axes has the shape {found.shape}; it must "
                    f"be {default.shape}."
                )
            return found

        units = state.get("units") or ("pixel",) * ndim
        labels = state.get("axis_labels") or (str(axis - ndim) for axis in range(ndim))
        return cls(
            scale=field("scale", np.ones(ndim)),
            translate=field("translate", np.zeros(ndim)),
            rotate=field("rotate", np.eye(ndim)),
            shear=field("shear", np.eye(ndim)),
            affine=field("affine", np.eye(ndim + 1)),
            units=tuple(str(unit) for unit in units),
            axis_labels=tuple(labels),
        )

    @classmethod
    def of_pixel_size(
        cls, size: PixelSize, axes: Axes, origin: Sequence[float] | None = None
    ) -> "Placement":
        """Place an image from a file, whose axes other than X, Y and Z have no size.

        Parameters
        ----------
        size, axes
            Of the image.
        origin
            Of its first pixel, along each of `axes`.
        """
        letters = axes.letters.replace("S", "")
        sizes = {"Y": size.y, "X": size.x, "Z": size.z or 1.0}
        unit = NAME_OF_SYMBOL.get(size.unit, "pixel")
        n = len(letters)
        return cls(
            scale=np.array([sizes.get(letter, 1.0) for letter in letters]),
            translate=np.array((origin or np.zeros(n))[:n], float),
            rotate=np.eye(n),
            shear=np.eye(n),
            affine=np.eye(n + 1),
            units=tuple(unit if letter in sizes else "pixel" for letter in letters),
            axis_labels=tuple(letter.lower() for letter in letters),
        )

    def fields(self) -> dict[str, Any]:
        """Return the seven fields by the names that napari's layers have for them."""
        return {name: getattr(self, name) for name in Placement.__slots__}

    def for_axes(self, source: Axes, result: Axes) -> "Placement":
        """Return the placement of a result with other axes than its source.

        An axis that is gone takes its row and column with it; one that is new stands at 0 with
        scale 1, not rotated.
        """
        old = source.letters.replace("S", "")
        new = result.letters.replace("S", "")
        if old == new:
            return self
        kept_new = [i for i, letter in enumerate(new) if letter in old]
        kept_old = [old.index(new[i]) for i in kept_new]
        n = len(new)

        def matrix(of: NDArray[np.float64], size: int, extra: Sequence[int]) -> NDArray[np.float64]:
            moved = np.eye(size)
            into, out_of = [*kept_new, *(n for _ in extra)], [*kept_old, *extra]
            moved[np.ix_(into, into)] = of[np.ix_(out_of, out_of)]
            return moved

        def vector(of: NDArray[np.float64], fill: float) -> NDArray[np.float64]:
            moved = np.full(n, fill)
            moved[kept_new] = of[kept_old]
            return moved

        labels = [letter.lower() for letter in new]
        units = ["pixel"] * n
        for i, j in zip(kept_new, kept_old, strict=True):
            units[i] = self.units[j]
            # napari's own label says how far the axis is from the end, which may have changed
            is_default = self.axis_labels[j] == str(j - len(old))
            labels[i] = str(i - n) if is_default else self.axis_labels[j]
        return Placement(
            scale=vector(self.scale, 1.0),
            translate=vector(self.translate, 0.0),
            rotate=matrix(self.rotate, n, ()),
            shear=matrix(self.shear, n, ()),
            affine=matrix(self.affine, n + 1, (len(old),)),
            units=tuple(units),
            axis_labels=tuple(labels),
        )

    def shifted(self, offset: Sequence[float]) -> "Placement":
        """Return the placement of a part of the image.

        Parameters
        ----------
        offset
            Of the part's first pixel in the image, in pixels along each of the n axes.
        """
        linear = self.rotate @ self.shear @ np.diag(self.scale)
        return replace(self, translate=self.translate + linear @ np.asarray(offset, float))

    def coarser(self, factors: Sequence[float]) -> "Placement":
        """Return the placement of a smaller level, whose first pixel covers several.

        Parameters
        ----------
        factors
            Pixels of this image along a side of one of the level's, along each of the n axes.
        """
        moved = self.shifted([(factor - 1) / 2 for factor in factors])
        return replace(moved, scale=self.scale * np.asarray(factors, float))

    def pixel_size(self, axes: Axes) -> PixelSize | None:
        """Return the physical size of a pixel; None where a layer has neither scale nor units.

        Parameters
        ----------
        axes
            Of the layer.
        """
        of = dict(zip(axes.letters.replace("S", ""), range(len(self.scale)), strict=True))
        sides = self._sides()
        y, x, z = sides[of["Y"]], sides[of["X"]], None
        units = [_LENGTHS.get(self.units[of[letter]]) for letter in "YX"]
        depth = of.get("Z")
        if units[0] is None or units[1] is None:
            if units[0] is not units[1] or y == x == 1.0:
                return None
            if depth is not None:
                z = float(sides[depth])
            return PixelSize(float(y), float(x), z, "pixel")
        (symbol, metres), (_, x_metres) = units[0], units[1]
        if depth is not None and (z_unit := _LENGTHS.get(self.units[depth])):
            z = float(sides[depth]) * z_unit[1] / metres
        return PixelSize(float(y), float(x) * (x_metres / metres), z, symbol)

    def origin(self, axes: Axes) -> tuple[float, ...] | None:
        """Return where the first pixel stands, in the unit of `pixel_size`.

        Parameters
        ----------
        axes
            Of the layer.

        Returns
        -------
        Along each axis, 0 where units do not fit; None where a layer is turned, sheared,
        mirrored or has no size.
        """
        n, size = len(self.scale), self.pixel_size(axes)
        linear = (self.rotate, self.shear, self.affine[:n, :n])
        is_straight = all(np.array_equal(matrix, np.eye(n)) for matrix in linear)
        if size is None or not is_straight or (self.scale < 0).any():
            return None
        metres = dict(_LENGTHS.values())
        at = self.translate + self.affine[:n, n]
        found = []
        for letter, value, name in zip(axes.letters, at.tolist(), self.units, strict=False):
            unit = _LENGTHS.get(name)
            factor = unit[1] / metres[size.unit] if unit and size.unit in metres else 1.0
            fits = letter in "ZYX" and (unit is None) == (size.unit == "pixel")
            found.append(value * factor if fits else 0.0)
        return tuple(found)

    def _sides(self) -> NDArray[np.float64]:
        """Return how long the sides of a pixel are in the world, before it is sheared."""
        n = len(self.scale)
        linear = self.affine[:n, :n]
        if np.array_equal(linear, np.eye(n)):
            return np.abs(self.scale)
        sides: NDArray[np.float64] = np.linalg.norm(linear @ self.rotate * self.scale, axis=0)
        return sides
