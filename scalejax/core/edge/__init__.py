"""The edge of the public functions: what arguments may be, and what is said when they are not."""
