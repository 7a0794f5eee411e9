"""Papers on what networks learn, represent and keep of their data: simulators of their theories."""
