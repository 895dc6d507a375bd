"""Configs as files: read, checked, written, shown as a form and as a graph, begun from an example or a description."""
