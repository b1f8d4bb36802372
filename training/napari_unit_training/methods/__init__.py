"""One objective per module."""
