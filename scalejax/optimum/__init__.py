"""Constrained minimisation of any JAX function, batched, with a certificate and implicit derivatives; knows no law."""
