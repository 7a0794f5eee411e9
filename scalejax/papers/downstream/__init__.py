"""Papers on tasks."""
