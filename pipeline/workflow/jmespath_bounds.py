"""JMESPath, counting what it looks at."""

from __future__ import annotations

from typing import Any

from jmespath.visitor import TreeInterpreter

from pipeline.errors import ExpressionError

from .values import weigh

STEPS = 100_000
# Values within one that a function is given, and how many of them count as a step.
HEAVIEST = 200_000
PARTS = 20


class Counting(TreeInterpreter):  # type: ignore[misc]
    """JMESPath's own interpreter for one evaluation, which ends it after so many steps."""

    def __init__(self) -> None:
        super().__init__()
        self.left = STEPS

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self.spend(1)
        result = super().visit(node, *args, **kwargs)
        if isinstance(result, list):
            self.spend(len(result) // PARTS)
        return result

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        result = super().visit_function_expression(node, value)
        self.spend(weigh(result, HEAVIEST) // PARTS)
        return result

    def visit_comparator(self, node: Any, value: Any) -> Any:
        # What was evaluated to be weighed is compared as it is, not evaluated a second time.
        sides = [self.visit(child, value) for child in node["children"]]
        for side in sides:
            self.spend(weigh(side, HEAVIEST) // PARTS)
        literals = [{"type": "literal", "value": side, "children": []} for side in sides]
        return super().visit_comparator({**node, "children": literals}, value)

    def spend(self, steps: int) -> None:
        """Counts ``steps``. Raises ``ExpressionError`` at the last."""
        self.left -= steps
        if self.left < 0:
            raise ExpressionError(f"the expression took more than {STEPS} steps")
