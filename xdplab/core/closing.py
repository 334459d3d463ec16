"""Mixins of objects that own a unique resource: they can be closed, and not be copied."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import NoReturn, Self


class Uncopied:
    """Mixin: rejects `copy`, `deepcopy` and `pickle`, which can't copy the resource."""

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        name = type(self).__name__
        raise TypeError(
            f"{'an' if name[0] in 'AEIO' else 'a'} {name} can't be copied or pickled: there is one "
            "of its kind in the kernel or in this process. Hand on the object itself, or copies of "
            "the figures that were read from it."
        )


class Closing(Uncopied, ABC):
    """Mixin: makes a class with `close` a context manager that calls it at the end."""

    @abstractmethod
    def close(self) -> None:
        """Release all resources. A second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Starting(Closing):
    """Mixin: entering such an object as a context manager starts it."""

    @abstractmethod
    def start(self) -> Self:
        """Start, and return the object."""

    def __enter__(self) -> Self:
        # Python does not call `__exit__` where this fails, and the object would stay open.
        try:
            return self.start()
        except BaseException:
            self.close()
            raise
