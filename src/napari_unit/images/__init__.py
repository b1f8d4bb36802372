"""What an image is to a translation: pixels, axes, metadata, and where they come from and go."""
