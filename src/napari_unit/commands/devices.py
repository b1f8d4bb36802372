"""The command ``napari-unit devices``, which the dock widget asks as well."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the only option to a parser; `run` takes what it parses."""
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """List the devices; return the exit status 0."""
    import json
    from dataclasses import asdict

    from napari_unit.engine.devices import describe_devices

    devices = describe_devices()
    if args.json:
        print(json.dumps([asdict(device) for device in devices]))
        return 0
    for device in devices:
        free = "" if device.free_bytes is None else f", {device.free_bytes / 1e9:.1f} GB free"
        print(f"{device.name}: {device.description}{free}")
    return 0
