"""What judges say of the rows of others: compared with people, and of two students."""
