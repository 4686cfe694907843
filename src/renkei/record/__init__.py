"""The programme record: who promised what, with which money, and what came of it."""
