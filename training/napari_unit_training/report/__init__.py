"""The page on a run: one HTML file for people, with everything in it."""
