"""What a dataset is to be made of: attributes of its rows, with the share of each value."""
