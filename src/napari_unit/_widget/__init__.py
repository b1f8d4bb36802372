"""The dock widgets: the only place that imports Qt, magicgui or napari."""
