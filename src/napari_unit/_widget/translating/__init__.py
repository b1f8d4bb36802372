"""The dock widget that translates layers."""
