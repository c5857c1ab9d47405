"""Clean cuts: the layers at which a base can be divided in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def clean_cuts(base: keras.Model) -> list[str]:
    """Lists the layers whose output alone determines the rest of a base, in order.

    A residual block can be cut after its addition but not inside: there the shortcut carries information
    past the layer. Only features of a clean cut can be continued to the end of the base.

    Args:
        base: A functional model with one input and one output.

    Returns:
        Names of layers, the last layer last.
    """
    operations = base.operations  # unlike ``layers``, these include bare sums and products
    order = {id(operation): position for position, operation in enumerate(operations)}
    last_use = [0] * len(operations)
    for operation in operations:
        for node in operation._inbound_nodes:
            for parent in node.parent_nodes:
                if id(parent.operation) in order:
                    source = order[id(parent.operation)]
                    last_use[source] = max(last_use[source], order[id(operation)])
    layers = {id(layer) for layer in base.layers}
    names, reached = [], 0
    for position, operation in enumerate(operations):
        if position and reached <= position and id(operation) in layers:
            names.append(operation.name)
        reached = max(reached, last_use[position])
    return names
