"""What widgets with a series of runs have in common: begin, end, go on, and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import numpy.typing as npt

from xdplab.experiments.runs import Runs
from xdplab.widgets.series.runner import Runner

if TYPE_CHECKING:
    import pandas


class Series(ipywidgets.VBox):  # type: ignore[misc]
    """A box with a series of runs behind it, which are taken on a thread of their own."""

    runs: Runs
    """Run by run, what was measured."""
    _runner: Runner

    def run(self) -> None:
        """Take the runs that are not done yet, on a thread of their own."""
        self._runner.start()

    def stop(self) -> None:
        """End that soon. The run under way is not kept, and what was measured is."""
        self._runner.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until `run` has come to its end, at most so many seconds.

        Returns
        -------
        bool
            Whether it has.

        Raises
        ------
        XdplabError
            When it ended with an error.
        """
        return self._runner.wait(timeout)

    def close(self) -> None:
        """Close the widget, and have the runs end soon."""
        if runner := vars(self).get("_runner"):  # not where the constructor refused
            runner.stop()
        super().close()

    @property
    def running(self) -> bool:
        """Whether runs are being taken."""
        return self._runner.running

    @property
    def results(self) -> npt.NDArray[np.void]:
        """What was measured so far, as `Grid.results` has it."""
        return self.runs.array()

    def frame(self) -> pandas.DataFrame:
        """Return `results` as a pandas frame, as `Grid.frame` does."""
        return self.runs.frame()
