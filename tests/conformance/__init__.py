"""Checks that others wrote, held against this program; `scripts/conformance.py` runs them and writes the page."""
