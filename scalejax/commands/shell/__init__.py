"""What the command line itself is made of: output, its language, laws of one's own, completion, files for the examples."""
