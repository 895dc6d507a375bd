"""What the card of a dataset says: metadata for the Hub, models and their licences, what was asked, sources."""
