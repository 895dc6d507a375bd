"""Code checked by running tests against it, and tests checked by running them against code that is wrong."""
