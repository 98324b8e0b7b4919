"""Faults that have a module of their own: how each is found in a photo, and how undone there."""
