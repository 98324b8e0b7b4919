"""Kinds of degradation that have a module of their own: how each is found, and how undone."""
