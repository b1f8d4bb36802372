"""The command ``napari-unit``. Every import that takes time waits until its command is given."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from napari_unit.commands import demo, devices, models, translate
from napari_unit.terminal import print_anything

_REFUSED = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; None takes the process's.

    Returns
    -------
    Exit status: 0 done, 2 refused with a sentence on stderr, 130 interrupted.
    """
    print_anything()
    given = list(sys.argv[1:] if argv is None else argv)
    args = _parser(given).parse_args(given)
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _show_warning
        try:
            status: int = args.run(args)
        except (ValueError, OSError, MemoryError, FloatingPointError) as error:
            print(f"napari-unit {args.command}: {error}", file=sys.stderr)
            return _REFUSED
        except KeyboardInterrupt as stop:
            print(f"napari-unit {args.command}: interrupted.", *stop.args, file=sys.stderr)
            return _INTERRUPTED
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"napari-unit: {message}", file=sys.stderr)


class _Version(argparse.Action):
    """Prints the version, which takes an import of its own."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from importlib.metadata import version

        print(f"napari-unit {version('napari-unit')}")
        parser.exit()


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-unit",
        description="Translate images between two domains without paired examples (UNIT).",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser
    _fill(add("demo", help="simulate a field of nuclei and translate it"), demo)
    _fill(add("translate", help="translate an image file"), translate)
    train = add("train", help="train a model on two folders of images")
    if given[:1] == ["train"]:
        from napari_unit_training import command

        _fill(train, command)
    adapt = add("adapt", help="adapt a classifier to images that nobody has labelled")
    if given[:1] == ["adapt"]:
        from napari_unit_training import adapt as adaptation

        _fill(adapt, adaptation)
    evaluate = add("evaluate", help="measure how good a model is")
    if given[:1] == ["evaluate"]:
        from napari_unit_training import evaluate as evaluation

        _fill(evaluate, evaluation)
    calibrate = add("calibrate", help="add statistics of its training to a model")
    if given[:1] == ["calibrate"]:
        from napari_unit_training import calibrate as calibration

        _fill(calibrate, calibration)
    _fill(add("models", help="list the models there are, or show one"), models)
    _fill(add("devices", help="list what translations can run on"), devices)
    return parser


def _fill(parser: argparse.ArgumentParser, command: ModuleType) -> None:
    """Give a command's parser its arguments and what it runs."""
    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


if __name__ == "__main__":
    raise SystemExit(main())
