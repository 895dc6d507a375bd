"""What of earlier runs is not needed any more, and how it is removed while no run needs it."""
