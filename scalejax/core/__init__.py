"""What everything else speaks of: laws, domains, runs, errors, precision."""
