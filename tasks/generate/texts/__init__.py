"""Techniques about documents and other texts: questions, answers with evidence, summaries, texts written another way."""
