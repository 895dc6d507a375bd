"""Documents of the user's as seeds: files of a folder, cut into chunks."""
