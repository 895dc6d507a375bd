"""Commands about a dataset that is there: its rows in other formats, how it is, where a row comes from."""
