"""Papers on other fields than text."""
