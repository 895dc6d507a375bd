"""Review: one row after the other, decided about from the keyboard."""

from flows.studio.review.routes import router

__all__ = ["router"]
