"""How good a translation is, without pairs."""
