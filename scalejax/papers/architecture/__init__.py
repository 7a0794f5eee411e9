"""Papers on shapes of models, formats of numbers, vocabularies, and on how models are trained, decoded and served."""
