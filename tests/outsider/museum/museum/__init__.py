"""A museum that counts who comes in, and what they look at."""
