"""Stand-in for CTK's spin box."""

from __future__ import annotations

from .. import qt
from ..standin import follows, held


@follows("CTK/Libs/Widgets/ctkDoubleSpinBox.h")
class ctkDoubleSpinBox(qt.QDoubleSpinBox):
    """A QDoubleSpinBox whose controls can be inverted (held, without effect here)."""

    invertedControls, _setInvertedControls = held("invertedControls", False)
