"""A network as a list of steps, from which torch module, OpenVINO model and checks are derived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

Triple = tuple[int, int, int]
Kind = Literal[
    "convolution",
    "transposed convolution",
    "group norm",
    "instance norm",
    "scale",
    "relu",
    "prelu",
    "max pool",
    "average pool",
    "enlarge",
    "add",
    "concatenate",
]
Shape = tuple[int, ...]

OVERWRITING = ("group norm", "instance norm", "scale", "relu", "prelu")  # the input's memory
IMAGE = 0
"""Number of the network's input value."""

MOST_STEPS = 2000
MOST_CHANNELS = 8192
FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a network.

    Attributes
    ----------
    kind
        Type of the operation.
    inputs
        Numbers of its input values: 0 is the image, n is the result of the n-th step.
    shape
        Its result's channels and z, y, x sizes.
    name
        Its weights are called ``{name}.weight`` and ``{name}.bias``; empty for a step without weights.
    weights
        Shape of each of its weights.
    kernel, stride, padding
        Along z, y, x, of convolutions and of the pools; the stride of an enlargement is its factor.
    more
        Voxels that a transposed convolution adds at the end of z, y, x (torch's ``output_padding``).
    groups
        Groups of channels of a group norm.
    slope
        Slope of the ReLU below zero.
    recomputed
        Number of the block of steps that may be recomputed in the backward pass instead of stored; 0 for none.
    """

    kind: Kind
    inputs: tuple[int, ...]
    shape: tuple[int, int, int, int]
    name: str = ""
    weights: tuple[Shape, ...] = ()
    kernel: Triple = (1, 1, 1)
    stride: Triple = (1, 1, 1)
    padding: Triple = (0, 0, 0)
    more: Triple = (0, 0, 0)
    groups: int = 0
    slope: float = 0.0
    recomputed: int = 0


class Plan:
    """The steps of a network for one size of window.

    The methods add a step each and return the number of its result. They raise ValueError where sizes do not fit.

    Parameters
    ----------
    channels
        Of the image.
    size_zyx
        Of the window.

    Attributes
    ----------
    steps
        In the order of computation; the last one computes the logits.
    head
        Name of the step with one output channel per structure.
    """

    def __init__(self, channels: int, size_zyx: Sequence[int]) -> None:
        z, y, x = size_zyx
        self._image = (channels, z, y, x)
        self.steps: list[Step] = []
        self.head = ""
        self._blocks = 0
        self._block = 0

    def shape(self, value: int) -> tuple[int, int, int, int]:
        """Return the channels and z, y, x sizes of a value."""
        return self._image if value == IMAGE else self.steps[value - 1].shape

    def convolution(
        self,
        value: int,
        name: str,
        channels: int,
        kernel: Triple = (3, 3, 3),
        stride: Triple = (1, 1, 1),
        padding: Triple | None = None,
        *,
        bias: bool = False,
    ) -> int:
        """Convolve; without `padding` the kernel is centred, so that stride 1 keeps the size."""
        around = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2) if padding is None else padding
        inputs, *sizes = self.shape(value)
        z, y, x = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip(sizes, kernel, stride, around, strict=True))
        weights = ((channels, inputs, *kernel), *([(channels,)] if bias else []))
        return self._add(Step("convolution", (value,), (channels, z, y, x), name, weights, kernel, stride, around))

    def transposed_convolution(
        self, value: int, name: str, channels: int, stride: Triple, kernel: Triple | None = None, *, bias: bool = True
    ) -> int:
        """Enlarge by `stride` with a transposed convolution; its kernel is as large as its stride, or odd."""
        inputs, *sizes = self.shape(value)
        z, y, x = (n * s for n, s in zip(sizes, stride, strict=True))
        size = kernel or stride
        around: Triple = (0, 0, 0) if kernel is None else ((size[0] - 1) // 2, (size[1] - 1) // 2, (size[2] - 1) // 2)
        ends = [s + 2 * p - k for s, k, p in zip(stride, size, around, strict=True)]
        if any(not 0 <= end < s for end, s in zip(ends, stride, strict=True)):
            raise ValueError("a kernel does not fit its stride")
        weights = ((inputs, channels, *size), *([(channels,)] if bias else []))
        shape, more = (channels, z, y, x), (ends[0], ends[1], ends[2])
        return self._add(Step("transposed convolution", (value,), shape, name, weights, size, stride, around, more))

    def group_norm(self, value: int, name: str, groups: int) -> int:
        """Normalise groups of channels; with as many groups as channels it is an instance norm."""
        shape = self.shape(value)
        if groups < 1 or shape[0] % groups:
            raise ValueError(f"{shape[0]} channels cannot be split into {groups} groups")
        return self._add(Step("group norm", (value,), shape, name, ((shape[0],), (shape[0],)), groups=groups))

    def instance_norm(self, value: int, name: str = "") -> int:
        """Normalise every channel by itself; with a name, scale and shift it as well."""
        shape = self.shape(value)
        return self._add(Step("instance norm", (value,), shape, name, ((shape[0],), (shape[0],)) if name else ()))

    def scale(self, value: int, name: str) -> int:
        """Scale and shift every channel, as a batch norm does with its stored statistics."""
        shape = self.shape(value)
        return self._add(Step("scale", (value,), shape, name, ((shape[0],), (shape[0],))))

    def prelu(self, value: int, name: str) -> int:
        """Multiply negative values by the one weight `name`."""
        return self._add(Step("prelu", (value,), self.shape(value), name, ((1,),)))

    def relu(self, value: int, slope: float = 0.0) -> int:
        """Set negative values to zero, or multiply them by `slope`."""
        return self._add(Step("relu", (value,), self.shape(value), slope=slope))

    def max_pool(self, value: int, stride: Triple) -> int:
        """Take the maximum of each block of `stride` voxels."""
        channels, *sizes = self.shape(value)
        z, y, x = (n // s for n, s in zip(sizes, stride, strict=True))
        return self._add(Step("max pool", (value,), (channels, z, y, x), kernel=stride, stride=stride))

    def average_pool(self, value: int, stride: Triple) -> int:
        """Take the mean of each block of `stride` voxels."""
        channels, *sizes = self.shape(value)
        z, y, x = (n // s for n, s in zip(sizes, stride, strict=True))
        return self._add(Step("average pool", (value,), (channels, z, y, x), kernel=stride, stride=stride))

    def enlarge(self, value: int, factor: Triple) -> int:
        """Enlarge by `factor`, linear between the voxels' centres."""
        channels, *sizes = self.shape(value)
        z, y, x = (n * s for n, s in zip(sizes, factor, strict=True))
        return self._add(Step("enlarge", (value,), (channels, z, y, x), stride=factor))

    def add(self, first: int, second: int) -> int:
        """Add two values of equal shape."""
        if self.shape(first) != self.shape(second):
            raise ValueError("the shapes of a sum do not fit together")
        return self._add(Step("add", (first, second), self.shape(first)))

    def concatenate(self, *values: int) -> int:
        """Concatenate the channels of values of equal size."""
        shapes = [self.shape(value) for value in values]
        if len({shape[1:] for shape in shapes}) != 1:
            raise ValueError("the sizes of two levels do not fit together")
        return self._add(Step("concatenate", values, (sum(shape[0] for shape in shapes), *shapes[0][1:])))

    def logits(self, value: int, name: str, channels: int) -> int:
        """Finish the network with a convolution of one voxel: one output channel per structure."""
        self.head = name
        return self.convolution(value, name, channels, (1, 1, 1), bias=True)

    @contextmanager
    def recomputed(self) -> Iterator[None]:
        """Mark the steps added in this block as those that training may recompute instead of storing them."""
        self._blocks += 1
        self._block = self._blocks
        yield
        self._block = 0

    def weight_shapes(self) -> dict[str, Shape]:
        """Return the shape of every weight by its name."""
        return {
            f"{step.name}.{what}": shape
            for step in self.steps
            for what, shape in zip(("weight", "bias"), step.weights, strict=False)
        }

    def last_uses(self) -> list[int]:
        """Return for every value the number of the step that uses it last; the network's result is used by none."""
        last = [0] * (len(self.steps) + 1)
        for number, step in enumerate(self.steps, 1):
            for value in step.inputs:
                last[value] = number
        last[-1] = len(self.steps) + 1
        return last

    def uses(self, value: int) -> int:
        """Return how many steps use a value."""
        return sum(step.inputs.count(value) for step in self.steps)

    def peak_bytes(self) -> int:
        """Return the memory of one window's values in float32 at the step that needs most, and of the weights."""
        last, alive, peak = self.last_uses(), {IMAGE}, 0
        for number, step in enumerate(self.steps, 1):
            if step.kind not in OVERWRITING:
                peak = max(peak, sum(prod(self.shape(value)) for value in {*alive, number}))
            alive.add(number)
            alive = {value for value in alive if last[value] > number}
        return FLOAT_BYTES * (peak + sum(prod(shape) for shape in self.weight_shapes().values()))

    def _add(self, step: Step) -> int:
        if min(step.shape) < 1:
            raise ValueError("the window is smaller than the network's steps along an axis")
        if step.shape[0] > MOST_CHANNELS or len(self.steps) >= MOST_STEPS:
            raise ValueError(f"more than {MOST_CHANNELS} channels or {MOST_STEPS} steps")
        self.steps.append(replace(step, recomputed=self._block))
        return len(self.steps)
