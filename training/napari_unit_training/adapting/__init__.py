"""Domain adaptation: a classifier for images of which nobody has labelled one."""
