"""Learning rate, batch, weight decay, and what the wrong ones cost."""
