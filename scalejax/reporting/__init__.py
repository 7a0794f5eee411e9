"""Pictures of a fit, and the report that a person reads."""
