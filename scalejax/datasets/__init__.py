"""Training runs to fit: our own, embedded in the package, and public ones that are fetched on demand and checked."""

from .registry import info, list, load, path

__all__ = ["info", "list", "load", "path"]
