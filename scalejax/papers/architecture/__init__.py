"""Papers on shapes of models, and on how they are trained and served."""
