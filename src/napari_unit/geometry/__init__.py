"""Integer geometry: which pixels need which, on one axis and in rectangles. Needs no torch."""
