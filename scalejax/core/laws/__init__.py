"""What a law is: the decorator, domains of its numbers, chains of laws, the registry, and runs simulated from one."""
