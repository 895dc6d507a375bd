"""What says by a program, and not by a judge, whether an answer is right."""
