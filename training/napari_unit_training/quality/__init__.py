"""How good a translation is, with and without pairs."""
