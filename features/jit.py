"""One way to write a kernel: compiled ahead of its first call, cached on disk, free of the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["kernel", "read"]

Function = TypeVar("Function", bound=Callable[..., object])


def read(element: Any, ndim: int = 1) -> Any:
    """The numba type of a C-contiguous array that a kernel only reads.

    Columns of a frame are read-only memory; arrays that may be written to are accepted too.

    Parameters
    ----------
    element : numba type
        For example ``numba.float64``.
    ndim : int
        Number of dimensions.
    """
    return numba.types.Array(element, ndim, "C", readonly=True)


def kernel(signature: Any) -> Callable[[Function], Function]:
    """Compile a function for the given signature when its module is imported.

    An explicit signature moves compilation from the first call to the import, where the
    result is read from the disk cache, so that no score is ever slow because it is the first.

    Parameters
    ----------
    signature : str or numba signature
        For example ``"float64[::1](float64[:, ::1])"`` or
        ``float64[::1](read(float64, 2))``.

    Source: ours, FINDINGS.md ("inference is where the time goes").
    """

    def compile_now(function: Function) -> Function:
        compiled: Function = numba.njit(signature, cache=True, nogil=True)(function)
        return compiled

    return compile_now
