"""One convolution of the networks on one tile, the true edges of the image respected."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from napari_unit.engine.folding import Filter, Layer, activate
from napari_unit.geometry.regions import Region, RegionStep
from napari_unit.geometry.tiling import Span, step_for


def convolve(layer: Layer, x: Tensor, step: RegionStep) -> Tensor:
    """Run one layer, its activation included and its skip not.

    Parameters
    ----------
    layer
        The layer.
    x
        Shape (1, C_in, H, W), exactly the step's source.
    step
        What the layer does on this tile.

    Returns
    -------
    Shape (1, C_out, H', W'), exactly the step's target.
    """
    x = x.to(layer.direct.weight.dtype)  # the last layer may be more precise than the others
    if layer.local is not None:
        y = convolve(replace(layer, local=None, activation="none"), x, step)
        scale, shift = layer.local.at(step.target, y)
        y = torch.addcmul(shift, y, scale)
        activate(y, layer.activation)
        return y
    if layer.blocked is None:
        return _convolve_directly(layer, x, step)
    if layer.geometry.upsample > 1:
        return _convolve_before_upsampling(layer, layer.blocked, x, step)
    target = step.target
    if target.rows.length % layer.block or target.columns.length % layer.block:
        return _convolve_directly(layer, x, step)
    y = nn.functional.conv2d(
        _reflect(x, step), layer.blocked.weight, layer.blocked.bias, layer.block
    )
    activate(y, layer.activation)
    return _unpack(y, layer.block, (0, 0), (0, 0))


def _reflect(x: Tensor, step: RegionStep) -> Tensor:
    """Return x (1, C, H, W) with the pixels that the step reflects at true edges.

    Torch's own padding takes as long as a convolution of channels-last maps.
    """
    (top, bottom), (left, right) = step.rows.pad, step.columns.pad
    if not any((top, bottom, left, right)):
        return x
    height, width = x.shape[2:]
    padded = torch.empty(
        (1, x.shape[1], top + height + bottom, left + width + right),
        dtype=x.dtype, device=x.device, memory_format=torch.channels_last,
    )  # fmt: skip
    padded[:, :, top : top + height, left : left + width] = x
    for axis, before, length, after in ((3, left, width, right), (2, top, height, bottom)):
        for i in range(1, before + 1):
            padded.select(axis, before - i).copy_(padded.select(axis, before + i))
        for i in range(1, after + 1):
            last = before + length - 1
            padded.select(axis, last + i).copy_(padded.select(axis, last - i))
    return padded


def _convolve_directly(layer: Layer, x: Tensor, step: RegionStep) -> Tensor:
    """Upsample, crop, pad and convolve one after the other, as the network is written."""
    up = layer.geometry.upsample
    if up > 1:
        x = nn.functional.interpolate(x, scale_factor=float(up))
        (top, bottom), (left, right) = step.rows.crop, step.columns.crop
        x = x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]
    filters = layer.direct
    y = nn.functional.conv2d(_reflect(x, step), filters.weight, filters.bias, layer.geometry.stride)
    activate(y, layer.activation)
    return y


def _put_line(layer: Layer, x: Tensor, step: RegionStep, line: Region, y: Tensor) -> None:
    """Compute some lines of a tile's output, which see a true edge, as the network does."""
    size = _size_of(step, layer)
    line_step = RegionStep(
        step_for(layer.geometry, size[0], line.rows),
        step_for(layer.geometry, size[1], line.columns),
    )
    rows, columns = line_step.source.within(step.source)
    to_rows, to_columns = line.within(step.target)
    y[:, :, to_rows, to_columns] = _convolve_directly(layer, x[:, :, rows, columns], line_step)


def _convolve_before_upsampling(
    layer: Layer, filters: Filter, x: Tensor, step: RegionStep
) -> Tensor:
    """Convolve the small map and unpack the pixels of each block.

    At a true edge the network reflects after the upsampling. Repeating the small map's last
    pixel is the same for all but the outermost pixels, which see the reflection's second small
    pixel; those lines are computed directly.
    """
    up, padding = layer.geometry.upsample, layer.geometry.padding
    repeat = -(-padding // up)
    pad = [repeat if reflected else 0 for reflected in (*step.columns.pad, *step.rows.pad)]
    padded = nn.functional.pad(x, pad, mode="replicate") if any(pad) else x
    y = nn.functional.conv2d(padded, filters.weight, filters.bias)
    activate(y, layer.activation)
    crops = [(span.start % up, -span.stop % up) for span in (step.target.rows, step.target.columns)]
    out = _unpack(y, up, *crops)
    for line in _edge_lines(step, padding - up + 1):
        _put_line(layer, x, step, line, out)
    return out


def _size_of(step: RegionStep, layer: Layer) -> tuple[int, int]:
    """Return a size of the layer's input that has its true edges where the step has them."""
    no_edge = 2 * layer.geometry.kernel  # any pixels beyond the source
    rows, columns = (
        axis.source.stop + (0 if axis.pad[1] else no_edge) for axis in (step.rows, step.columns)
    )
    return rows, columns


def _edge_lines(step: RegionStep, thickness: int) -> Iterator[Region]:
    """Yield the strips of the target along the true edges that its padding reflects over."""
    if thickness <= 0:
        return
    rows, columns = step.target.rows, step.target.columns
    for line in _ends(rows, step.rows.pad, thickness):
        yield Region(line, columns)
    for line in _ends(columns, step.columns.pad, thickness):
        yield Region(rows, line)


def _ends(span: Span, pad: tuple[int, int], thickness: int) -> Iterator[Span]:
    if pad[0]:
        yield Span(span.start, min(span.start + thickness, span.stop))
    if pad[1]:
        yield Span(max(span.stop - thickness, span.start), span.stop)


def _unpack(y: Tensor, n: int, crop_rows: tuple[int, int], crop_columns: tuple[int, int]) -> Tensor:
    """Lay out blocks of n by n pixels that are channels of y, and crop.

    Parameters
    ----------
    y
        Shape (1, n * n * C, H, W), channels last in memory, channels ordered (row in the block,
        column in the block, C).
    n
        Pixels per side of a block.
    crop_rows, crop_columns
        Pixels to leave out at either end, less than n.

    Returns
    -------
    Shape (1, C, n * H - crop, n * W - crop), channels last in memory.
    """
    height, width = y.shape[2:]
    channels = y.shape[1] // (n * n)
    left, right = crop_columns
    blocks = y[0].permute(1, 2, 0).reshape(height, width, n, n, channels)
    blocks = blocks.permute(0, 2, 1, 3, 4)  # (H, n, W, n, C)
    out = y.new_empty(height, n, n * width - left - right, channels)
    # cropping columns while copying leaves the result dense, so that the next layer need not copy
    first, last = (1 if left else 0), width - (1 if right else 0)
    begin = n - left if left else 0
    if left:
        out[:, :, :begin] = blocks[:, :, 0, left:]
    if right:
        out[:, :, out.shape[2] - (n - right) :] = blocks[:, :, -1, : n - right]
    if last > first:
        inner = out[:, :, begin : begin + n * (last - first)]
        # a view: splitting one axis never copies
        inner = inner.view(height, n, last - first, n, channels)
        inner.copy_(blocks[:, :, first:last])
    top, bottom = crop_rows
    flat = out.reshape(1, height * n, out.shape[2], channels)
    return flat[:, top : height * n - bottom].permute(0, 3, 1, 2)
