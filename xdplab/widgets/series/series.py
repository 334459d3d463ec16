"""Base class of widgets with a series of runs: run, stop, continue, and the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import numpy.typing as npt

from xdplab.experiments.background import Background
from xdplab.experiments.runs import Runs
from xdplab.widgets.base.closing import ClosesModels

if TYPE_CHECKING:
    import pandas


class Series(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """A box with a series of runs, made on a thread of their own."""

    runs: Runs
    """The results, run by run."""
    _runner: Background

    def run(self) -> None:
        """Make the remaining runs, on a thread of their own."""
        self._runner.start()

    def stop(self) -> None:
        """Stop `run` soon. The present run is discarded, earlier results are kept."""
        self._runner.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of `run`, at most `timeout` seconds.

        An interrupt (Ctrl-C, *Interrupt the kernel*) also does as `stop`; `run` continues.

        Returns
        -------
        bool
            Whether it ended.

        Raises
        ------
        XdplabError
            When it ended with an error.
        """
        return self._runner.wait(timeout)

    def close(self) -> None:
        """Close the widget, and stop the runs soon."""
        if runner := vars(self).get("_runner"):  # missing if the constructor raised
            runner.stop()
        super().close()

    @property
    def running(self) -> bool:
        """Whether runs are being made."""
        return self._runner.running

    @property
    def results(self) -> npt.NDArray[np.void]:
        """The results so far, in the form of `Grid.results`."""
        return self.runs.array()

    def frame(self) -> pandas.DataFrame:
        """Return `results` as a pandas frame, as `Grid.frame` does."""
        return self.runs.frame()
