"""Two or more recipes compared: which is better, by how much, and from where on."""
