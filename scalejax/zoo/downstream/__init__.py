"""From losses to other losses and to the metrics of tasks."""
