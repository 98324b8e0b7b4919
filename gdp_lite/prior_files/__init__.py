"""Priors as files: which are known, how they come here, how OpenAI's are converted, how written."""
