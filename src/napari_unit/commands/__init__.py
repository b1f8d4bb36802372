"""The commands of ``napari-unit`` that do not train, one to a module."""
