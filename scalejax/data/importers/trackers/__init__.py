"""What programs log while they train."""
