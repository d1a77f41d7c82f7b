"""How the shipped coefficients were fitted: each file is one command."""
