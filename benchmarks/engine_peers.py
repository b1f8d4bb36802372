"""Other ways to translate a large image: one piece, a plain loop, MONAI, bioimageio.core, tiler.

All get the same float32 image in [-1, 1] and the same networks.
"""

import importlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine_case import LeftOut, PlainNetwork, Prepared, read_case, read_unit
from engine_measures import window_borders
from engine_reference import refuse_too_large
from numpy.typing import NDArray
from torch import Tensor

from napari_unit.geometry.regions import cover, grid, whole
from napari_unit.geometry.tiling import Span, lattice_of, reach_of

MONAI_BEST = "monai_best.json"
MONAI_DEFAULT: dict[str, Any] = {"roi_size": 256}
"""All else as MONAI has it: overlap 0.25, equal weights, one window at a time; it has no window."""
MONAI_ROIS_PX, MONAI_BATCHES = (256, 512, 1024), (1, 4)
TILER_PX, TILER_OVERLAP = 512, 0.25


def prepare_whole_image(folder: Path) -> Prepared:
    """Prepare one pass of the networks over the whole image."""
    case = read_case(folder)
    network, unit = case.plain(), read_unit(folder)
    refuse_too_large(network.model.steps(case.source, case.target), case.size)
    return Prepared(lambda: network(unit)[0].numpy(), ([], []))


def prepare_loop(folder: Path, tile_px: int) -> Prepared:
    """Prepare a loop over tiles that do not know their neighbours."""
    case = read_case(folder)
    network, unit = case.plain(), read_unit(folder)

    def run() -> NDArray[np.float32]:
        out = np.empty((n_channels_of(network), *case.size), np.float32)
        for tile in grid(whole(case.size), tile_px):
            rows, columns = tile.within(whole(case.size))
            out[:, rows, columns] = network(unit[:, :, rows, columns])[0].numpy()
        return out

    rows, columns = ([s.start for s in cover(Span(0, n), tile_px)] for n in case.size)
    return Prepared(run, (rows, columns))


def prepare_monai(folder: Path, *, is_best: bool) -> Prepared:
    """Prepare MONAI's sliding window, as it comes or with the settings that a search has found."""
    inferers = _peer("monai.inferers", "MONAI")
    case = read_case(folder)
    settings = MONAI_DEFAULT
    if is_best:
        if not (folder / MONAI_BEST).is_file():
            raise LeftOut("No settings of MONAI were found.")
        settings = json.loads((folder / MONAI_BEST).read_text())
    inferer = inferers.SlidingWindowInferer(**settings)
    network, unit = case.plain(), read_unit(folder)
    roi = settings["roi_size"]
    corners = _monai_windows(case.size, roi)
    rows, columns = (
        window_borders([corner[axis] for corner in corners], roi, case.size[axis])
        for axis in (0, 1)
    )
    return Prepared(
        lambda: inferer(unit, network)[0].numpy(), (rows, columns), facts={"settings": settings}
    )


def search_monai(folder: Path, repeats: int) -> list[dict[str, Any]]:
    """Measure settings of MONAI on four windows each, and keep the fastest for the whole image.

    Returns
    -------
    Settings, and the seconds that follow for the whole image; the fastest first.
    """
    inferers = _peer("monai.inferers", "MONAI")
    case = read_case(folder)
    network, unit = case.plain(), read_unit(folder)
    found: list[dict[str, Any]] = []
    for roi in (roi for roi in MONAI_ROIS_PX if roi <= min(case.size)):
        side = 2 * roi - roi // 4
        crop = unit[:, :, :side, :side]
        n_windows = len(_monai_windows((crop.shape[2], crop.shape[3]), roi))
        for batch in MONAI_BATCHES:
            for mode in ("constant", "gaussian"):
                settings = {"roi_size": roi, "sw_batch_size": batch, "mode": mode}
                inferer = inferers.SlidingWindowInferer(**settings)
                seconds = min(_seconds(inferer, crop, network) for _ in range(repeats))
                whole_s = seconds / n_windows * len(_monai_windows(case.size, roi))
                found.append({"settings": settings, "seconds": whole_s})
    if not found:
        raise LeftOut(f"The image is smaller than {min(MONAI_ROIS_PX)} px.")
    found.sort(key=lambda one: one["seconds"])
    (folder / MONAI_BEST).write_text(json.dumps(found[0]["settings"]))
    return found


def prepare_bioimageio(folder: Path, block_px: int) -> Prepared:
    """Prepare bioimageio.core's blocked prediction, its halo as large as the networks' reach."""
    core = _peer("bioimageio.core", "bioimageio.core")
    digest = _peer("bioimageio.core.digest_spec", "bioimageio.core")
    case = read_case(folder)
    network, unit = case.plain(), read_unit(folder).numpy()
    geometry = [s.block.geometry for s in network.model.steps(case.source, case.target)]
    lattice = lattice_of(geometry)
    halo = -(-reach_of(geometry) // lattice) * lattice
    inner = block_px - 2 * halo
    if inner < lattice or block_px > min(case.size):
        raise LeftOut(f"A block of {block_px} px, of it a halo of {halo} px, does not fit.")
    try:
        description = _describe(folder, network, case.shape[0], halo, lattice)
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:160]
        raise LeftOut(f"bioimageio.core refuses the model description: {said}") from error
    pipeline = core.create_prediction_pipeline(description, devices=["cpu"])
    shape = {"image": {"batch": 1, "channel": case.shape[0], "y": block_px, "x": block_px}}

    def run() -> NDArray[np.float32]:
        sample = digest.create_sample_for_model(description, inputs=unit)
        made = pipeline.predict_sample_with_fixed_blocking(sample, input_block_shape=shape)
        pixels: NDArray[np.float32] = made.members["translation"].to_numpy()[0]
        return pixels

    rows, columns = ([min(p, n - inner) for p in range(0, n, inner)] for n in case.size)
    return Prepared(run, (rows, columns), facts={"block_px": block_px, "halo_px": halo})


def bioimageio_network(folder: str) -> PlainNetwork:
    """Return the networks; bioimageio.core calls this and then loads their weights."""
    return read_case(Path(folder)).plain()


def prepare_tiler(folder: Path, window: str) -> Prepared:
    """Prepare tiler's tiles and merger as its documentation has them."""
    tiler = _peer("tiler", "tiler")
    case = read_case(folder)
    network, unit = case.plain(), read_unit(folder)[0].numpy()
    side = min(TILER_PX, *case.size)

    def make(shape: Sequence[int], n_channels: int) -> Any:
        return tiler.Tiler(
            data_shape=(n_channels, *shape),
            tile_shape=(n_channels, side, side),
            overlap=TILER_OVERLAP,
            channel_dimension=0,
        )

    padded_shape, padding = make(case.size, len(unit)).calculate_padding()
    tiles = make(padded_shape[1:].tolist(), len(unit))
    merged = make(padded_shape[1:].tolist(), n_channels_of(network))

    def run() -> NDArray[np.float32]:
        merger = tiler.Merger(merged, window=window)
        padded = np.pad(unit, padding, mode="reflect")
        for index, tile in tiles(padded):
            merger.add(index, network(torch.from_numpy(tile)[None])[0].numpy())
        pixels: NDArray[np.float32] = merger.merge(extra_padding=padding)
        return pixels

    corners = np.array([tiles.get_tile_bbox(index)[0] for index in range(len(tiles))])
    trim = int(side * TILER_OVERLAP) // 2 if window == "overlap-tile" else 0
    rows, columns = (
        window_borders(
            (np.unique(corners[:, axis]) + trim - padding[1 + axis][0]).tolist(),
            side - 2 * trim,
            case.size[axis],
        )
        for axis in (0, 1)
    )
    facts = {"tile_px": side, "overlap": TILER_OVERLAP, "window": window}
    return Prepared(run, (rows, columns), facts=facts)


def n_channels_of(network: PlainNetwork) -> int:
    """Return the channels of the translation."""
    return network.model.domains[network.model.index_of(network.names[1])].n_channels


def _describe(folder: Path, network: PlainNetwork, n_channels: int, halo: int, lattice: int) -> Any:
    """Return the least description of the networks that bioimageio.core predicts by."""
    spec = importlib.import_module("bioimageio.spec.model.v0_5")
    weights = folder / "weights.pt"
    torch.save(network.state_dict(), weights)
    size = spec.ParameterizedSize(min=2 * halo + lattice, step=lattice)

    def channels(n: int) -> Any:
        return spec.ChannelAxis(channel_names=[f"c{index}" for index in range(n)])

    image = spec.InputTensorDescr(
        id="image",
        axes=[spec.BatchAxis(), channels(n_channels),
              *(spec.SpaceInputAxis(id=axis, size=size) for axis in "yx")],
        data=spec.IntervalOrRatioDataDescr(type="float32"),
    )  # fmt: skip
    places = [
        spec.SpaceOutputAxisWithHalo(
            id=axis, size=spec.SizeReference(tensor_id="image", axis_id=axis), halo=halo
        )
        for axis in "yx"
    ]
    translation = spec.OutputTensorDescr(
        id="translation",
        axes=[spec.BatchAxis(), channels(n_channels_of(network)), *places],
        data=spec.IntervalOrRatioDataDescr(type="float32"),
    )
    state = spec.PytorchStateDictWeightsDescr(
        source=weights,
        architecture=spec.ArchitectureFromLibraryDescr(
            callable="bioimageio_network", import_from=__name__, kwargs={"folder": str(folder)}
        ),
        pytorch_version=torch.__version__.partition("+")[0],
    )
    return spec.ModelDescr(
        name="network",
        inputs=[image],
        outputs=[translation],
        weights=spec.WeightsDescr(pytorch_state_dict=state),
    )


def _monai_windows(size: tuple[int, int], roi: int) -> list[tuple[int, int]]:
    """Return the first pixels of MONAI's windows at its default overlap."""
    utils = importlib.import_module("monai.inferers.utils")
    larger = tuple(max(length, roi) for length in size)
    interval = utils._get_scan_interval(larger, (roi, roi), 2, (0.25, 0.25))
    slices = utils.dense_patch_slices(larger, (roi, roi), interval)
    return [(int(rows.start), int(columns.start)) for rows, columns in slices]


def _seconds(inferer: Any, crop: Tensor, network: PlainNetwork) -> float:
    started = time.perf_counter()
    with torch.inference_mode():
        inferer(crop, network)
    return time.perf_counter() - started


def _peer(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise LeftOut(f"{package} is not installed.") from error


PREPARE: dict[str, Callable[[Path], Prepared]] = {
    "MONAI default": lambda folder: prepare_monai(folder, is_best=False),
    "MONAI best": lambda folder: prepare_monai(folder, is_best=True),
    "bioimageio.core 512": lambda folder: prepare_bioimageio(folder, 512),
    "bioimageio.core 1024": lambda folder: prepare_bioimageio(folder, 1024),
    "tiler overlap-tile": lambda folder: prepare_tiler(folder, "overlap-tile"),
    "tiler hann": lambda folder: prepare_tiler(folder, "hann"),
    "loop 256": lambda folder: prepare_loop(folder, 256),
    "loop 512": lambda folder: prepare_loop(folder, 512),
    "whole image": prepare_whole_image,
}
"""How each method is prepared from a case's folder, by its name in the table."""
