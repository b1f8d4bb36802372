"""``python -m napari_unit_training``: the trainer without the rest of the command line."""

import argparse
import sys

from napari_unit.terminal import print_anything
from napari_unit_training.command import add_arguments, run


def main() -> int:
    """Parse the command line and train."""
    print_anything()
    parser = argparse.ArgumentParser(
        prog="napari-unit train", description="Train a translation between two folders of images."
    )
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
