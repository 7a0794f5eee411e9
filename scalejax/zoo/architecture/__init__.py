"""Laws that look inside a model and its training: experts, shapes, precision, vocabulary, teachers, replicas."""
