"""Papers on schedules and the course of training."""
