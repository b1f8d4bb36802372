"""The tiled engine: translate images of any size, equal to translating them in one piece."""
