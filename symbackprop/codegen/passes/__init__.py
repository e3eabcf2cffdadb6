"""What is done to a program before it is printed, one pass a file; each says at which level (-O0, -O1) it applies."""
