"""Degraded and clean pictures in pairs, as the source prescribes them: made, restored, scored."""
