"""What a fit minimises: runs as arrays, parameters as one vector, and the loss between them."""
