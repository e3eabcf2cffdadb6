"""Printing a derivation: `build_document` turns steps into finished lines, one module a format writes them."""
