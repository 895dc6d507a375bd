"""What makes a row no good that its own text shows: one kind of check a file.

A check is `(answer, its settings) -> (reason, figure) or None`. It looks at one answer with what was asked, in time that
grows with the length of the text and no faster.
"""
