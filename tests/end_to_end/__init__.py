"""Whole programs, in processes of their own, on loopback."""
