"""From parameters or draws to decisions."""
