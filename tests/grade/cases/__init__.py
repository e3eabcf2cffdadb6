"""Answers with a known verdict: wrong ones with their mistake, right ones in odd forms."""
