"""Strokes change the answer around them: a random walk that ends in them, against the same walk without them.

For weights that were not trained on strokes; those that were see them as channels too.
"""

from __future__ import annotations

from dataclasses import replace

from ..grid import resample
from ..prompts.random_walker import walk
from ..strategies import Query
from .answer import Answer

#: Chance of a walk to end in the answer rather than to go on: a tenth of what the strategy has. Chosen on training
#: structures, where strokes gained the more, the weaker it was, from 0.003 down to this.
PULL = 0.0003


def with_strokes(answer: Answer, query: Query) -> Answer:
    """Adds to the answer, on its own grid, what the strokes of the query's scene change; unchanged where there are
    none.
    """
    scene, grid, appearance = query.scene, query.grid, query.prompt.appearance
    if scene.strokes is None:
        return answer
    earlier = resample(answer.probability, grid.within(answer.grid))
    told, untold = (
        walk(shown, query.structure, appearance, grid, earlier, PULL) for shown in (scene, replace(scene, strokes=None))
    )
    changed = resample(told - untold, answer.grid.within(grid))
    return Answer(answer.grid, (answer.probability + changed).clamp(0, 1))
