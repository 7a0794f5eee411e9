"""What papers state, beside what this library computes: `python -m tests.claims` prints it, `test_claims.py` asserts it."""
