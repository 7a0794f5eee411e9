"""Papers on theories of generalisation and noise."""
