"""Models: their networks, their files, and where these are found."""
