"""Papers on shapes of models, formats of numbers, vocabularies and decoding."""
