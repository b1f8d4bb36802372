"""The same as the command `napari-unit`: python -m napari_unit."""

from napari_unit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
