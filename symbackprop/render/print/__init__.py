"""Printers of mathematics: from a tree (`core.maths`) to Unicode text, LaTeX, MathML."""
