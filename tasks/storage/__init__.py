"""Tables with their sidecars, on a disk or an object store."""
