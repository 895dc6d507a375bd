"""Whether what a text says stands in another: quotations, numbers, dates, names."""
