"""What judges say, read: ratings, scores, and answers held to a schema."""
