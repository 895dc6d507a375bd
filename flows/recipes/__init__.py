"""Which techniques a row goes through, and in which order: one file a recipe, in the folder of its kind of dataset."""
