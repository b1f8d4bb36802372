"""The command ``napari-unit models``: which models there are, or what one of them is."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_unit.models.zoo import ModelEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the only argument to a parser; `run` takes what it parses."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="model to show, by name or path")


def run(args: argparse.Namespace) -> int:
    """List the models, or show one; return the exit status 0."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from napari_unit.models.zoo import find_model, list_models, user_folder

    console = Console()
    if args.name is not None:
        _show(find_model(args.name), Console(soft_wrap=True))
        return 0
    entries = list_models()
    if not entries:
        console.print(f"There is no model; own models are looked for in {user_folder()}.")
        return 0
    table = Table("Model", "Domains", "Channels", "Origin", "Path", box=None, pad_edge=False)
    for entry in entries:
        domains = entry.card.domains
        table.add_row(
            escape(entry.name),
            escape(" ↔ ".join(domain.name for domain in domains)),
            " ↔ ".join(str(domain.n_channels) for domain in domains),
            entry.origin,
            escape(str(entry.path)),
        )
    table.columns[-1].overflow = "fold"
    console.print(table)
    console.print(f"Own models are looked for in {user_folder()}.", highlight=False, markup=False)
    return 0


def _show(entry: "ModelEntry", console: Any) -> None:
    import json

    from napari_unit.models.describing import facts_of

    console.print(entry.card.name, style="bold", highlight=False, markup=False)
    console.print(entry.card.description, highlight=False, markup=False)
    for fact in facts_of(entry):
        console.print(f"  {fact}", highlight=False, markup=False)
    console.print("  trained by:", highlight=False)
    console.print_json(json.dumps(dict(entry.card.training)))
