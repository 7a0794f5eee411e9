"""Tables in binary files."""
