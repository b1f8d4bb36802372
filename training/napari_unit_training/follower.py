"""A process that trains along with the one that leads."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from napari_unit_training.config_files import settings_from
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.data.run_images import load_domains, with_held_out
from napari_unit_training.errors import TrainingError
from napari_unit_training.launch import here, joined, meet
from napari_unit_training.precision import flushed_denormals
from napari_unit_training.session import Session
from napari_unit_training.team import Kind, Team


def follow(team: Team, device: torch.device) -> None:
    """Do what the leader orders until it orders the end.

    Raises
    ------
    TrainingError
        If the leader or another process has ended, or the images here are not the leader's.
    """
    with flushed_denormals():
        start = team.receive()
        settings = settings_from(start["settings"])
        complaint, data = "", None
        try:
            data = load_domains(
                settings,
                start["a"],
                start["b"],
                device,
                team.n_sharing,
            )
        except (TrainingError, OSError) as error:
            complaint = str(error)
        team.agree(complaint)
        assert data is not None
        final = team.receive()
        team.agree(_images_differ(data, final["fingerprints"]))
        settings = settings_from(final["settings"])
        if final["may_hold_out"]:
            data = with_held_out(data, settings)
        session = Session(settings, (data[0].domain, data[1].domain), device, team)
        while (order := team.next_order()).kind is not Kind.END:
            if order.kind is Kind.STEP:
                session.obey(order)
                session.step(data)
            elif order.kind is Kind.STATE:
                session.load_state(team.receive_state(device))


def _images_differ(data: tuple[DomainImages, DomainImages], fingerprints: Sequence[str]) -> str:
    if [domain.fingerprint for domain in data] == list(fingerprints):
        return ""
    return "The processes see other images under the same names; let all read the same files."


def main(arguments: Sequence[str]) -> int:
    """Join the leader that started this process; see `napari_unit_training.launch`."""
    rank, n = int(arguments[0]), int(arguments[1])
    torch.set_num_threads(int(arguments[3]))
    store = meet(Path(arguments[2]), n)
    store.set(here(rank), "yes")
    # the leader says what has gone wrong; when it is gone there is nobody to tell
    with (
        contextlib.suppress(TrainingError),
        joined(rank, n, (rank, n), arguments[4], store) as (team, device),
    ):
        follow(team, device)
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
