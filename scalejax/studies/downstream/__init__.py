"""From one loss to another, and to decisions between recipes."""
