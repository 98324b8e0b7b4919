"""What chapters alone need: interactive figures, plots, exercises, the exact mixture, scores."""
