"""Priors from elsewhere: which are known, how they come here, how OpenAI's are converted."""
