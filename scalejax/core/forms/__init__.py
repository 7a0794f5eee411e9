"""How answers are written: names made inert, documents by the ending of a file."""
