"""Look: the rows, rejects and losses of a dataset by any filter, a row's whole story, the rows near it, a map."""

from flows.studio.look.routes import router

__all__ = ["router"]
