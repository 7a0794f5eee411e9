"""Laws that look inside a model: experts, shapes, streams, numbers of bits and vocabularies."""
