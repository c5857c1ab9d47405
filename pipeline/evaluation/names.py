"""Names fit to be shown to people; see :mod:`pipeline.names`."""

from __future__ import annotations

from pipeline.names import readable

__all__ = ["readable"]
