"""Tasks for programs, their tests, and solutions that pass them."""
