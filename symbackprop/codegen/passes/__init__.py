"""What is done to a program before it is printed, one pass a file; each says from which level on it applies."""
