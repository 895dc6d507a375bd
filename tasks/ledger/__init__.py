"""Every completion ever paid for, and the databases that keep it."""
