"""Both pipelines on real servers that are not ours. Outside CI: `make real-servers` installs them and takes an hour."""
