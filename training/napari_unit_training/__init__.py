"""The bundled trainer of napari-unit: needs neither napari nor Qt."""
