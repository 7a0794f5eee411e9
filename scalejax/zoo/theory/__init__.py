"""Laws that theory derives: limits, schedules, collapse, information, bottlenecks."""
