"""Papers on shapes of models."""
