"""Several datasets read as one."""
