"""The dock widget that trains models."""
