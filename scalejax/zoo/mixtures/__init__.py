"""Training proportions, and what data are worth."""
