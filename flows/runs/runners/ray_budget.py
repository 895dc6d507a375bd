"""A budget that holds over the workers of a Ray cluster: one actor counts what all of them begin and spend.

stillroom sft --recipe seeded --runner ray --max-total-tokens 1000000
"""

from __future__ import annotations

from typing import Any

from tasks.engine.accounting import Budget, BudgetCount, Reserved
from tasks.errors import PermanentError


class RayBudget:
    """Implements `Spending` in any process of a cluster; every copy asks the same actor.

    A request waits for the actor's word before it begins; what it has come to is told without waiting. So nothing
    is begun once the budget is reached, as in one process.
    """

    def __init__(self, budget: Budget) -> None:
        """Start the actor, beside the process that starts the run. It ends with that process."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        actor: Any = ray.remote(BudgetCount)
        self._actor = actor.options(num_cpus=0, scheduling_strategy=here).remote(budget)
        self.is_spent = False

    def has_room(self) -> bool:
        """Whether nobody here has been turned away yet."""
        return not self.is_spent

    def begin(self, reserved: Reserved) -> bool:
        """Count a request that is about to be made; False where the budget has no room for it. Raises PermanentError."""
        if not self.is_spent:
            self.is_spent = not self._answer(self._actor.begin.remote(reserved))
        return not self.is_spent

    def settle(self, reserved: Reserved) -> None:
        """What was reserved for a request is known now, and counted."""
        self._actor.settle.remote(reserved)

    def paid(self, tokens: int, cost: float) -> None:
        """Count what a request has come to."""
        self._actor.paid.remote(tokens, cost)

    def look(self) -> None:
        """Bring `is_spent` up to date with what others were told. Raises PermanentError."""
        self.is_spent = self._answer(self._actor.over.remote())

    def _answer(self, reference: Any) -> bool:
        import ray

        try:
            return bool(ray.get(reference))
        except ray.exceptions.RayActorError as error:
            fix = "run the same command again"
            raise PermanentError(
                "the process that counts the budget is lost", str(error).splitlines()[0], fix
            ) from error
