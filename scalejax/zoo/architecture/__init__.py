"""Laws that look inside a model: experts and shapes."""
