"""Seeds as people have them: the formats that they come in, and what a row is made of in each."""
