"""What can go wrong with an image or an annotation, one function each, reproducible from a seed.

Intensity changes keep type and shape; strengths are relative to the image's own range, so that they mean the same in
CT, MR and micro-CT. Truth is never touched, except that thicker slices need a truth on their own grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..volume import Geometry, Volume

#: Percentiles of the intensities that count as the image's range.
RANGE = (0.5, 99.5)
#: Half-waves across the volume of the finest part of a bias field: a coil's profile is smoother still.
BIAS_WAVES = 3
#: Of the ray with the most tissue exp(-this) of the photons are left.
LONGEST_PATH = 4.0
#: The patient moves so many times while the lines of k-space are recorded.
MOVES = 6
#: Share of the lines, the innermost ones, recorded before the first move: they carry contrast and shape.
STILL = 0.1
#: Through-plane averaging changes the grid, so it is not one of IMAGE.
THICKER = "anisotropy"

Slices = Sequence[tuple[int, int]]


def intensity_range(image: np.ndarray) -> tuple[float, float]:
    """Lowest and highest intensity but for outliers; never equal."""
    low, high = np.percentile(image, RANGE)
    return float(low), float(max(high, low + 1e-6))


def noise(image: np.ndarray, level: float, seed: int) -> np.ndarray:
    """White Gaussian noise whose standard deviation is `level` of the range."""
    low, high = intensity_range(image)
    grain = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    return _like(image, image + level * (high - low) * grain)


def bias_field(image: np.ndarray, level: float, seed: int) -> np.ndarray:
    """Returns intensities times a smooth field between 1 - `level` and 1 + `level`, as an uneven coil does."""
    low, _ = intensity_range(image)
    field = _smooth(image.shape, np.random.default_rng(seed))
    return _like(image, low + (image - low) * (1 + level * field))


def gamma(image: np.ndarray, level: float, seed: int) -> np.ndarray:
    """Returns intensities within the range to the power of `level`; those beyond it stay. Nothing is random."""
    low, high = intensity_range(image)
    share = (image.astype(np.float32) - low) / (high - low)
    bent = np.where((share > 0) & (share < 1), np.clip(share, 0, 1) ** level, share)
    return _like(image, low + bent * (high - low))


def low_dose(image: np.ndarray, level: float, seed: int) -> np.ndarray:
    """Quantum noise of a CT with few photons: strong where rays along rows and columns cross much tissue.

    An image-domain likeness: the variance at a voxel is the mean of exp(attenuation) of its two in-plane rays. Where
    these cross nothing the standard deviation is `level` of the range; all is rounded to steps of half of that.
    """
    low, high = intensity_range(image)
    tissue = np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
    across, along = (tissue.sum(axis=axis, keepdims=True) for axis in (1, 2))
    longest = max(float(across.max()), float(along.max()), 1e-6)
    variance = (np.exp(across / longest * LONGEST_PATH) + np.exp(along / longest * LONGEST_PATH)) / 2
    grain = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    step = level * (high - low)
    noisy = image + step * np.sqrt(variance) * grain
    return _like(image, np.rint(noisy / (step / 2)) * (step / 2))


def motion(image: np.ndarray, level: float, seed: int) -> np.ndarray:
    """Ghosts of a patient who moves along j between k-space lines, with a standard deviation of `level` voxels."""
    rng = np.random.default_rng(seed)
    low, _ = intensity_range(image)
    frequency = np.fft.fftfreq(image.shape[1])
    outward = np.argsort(np.argsort(np.abs(frequency))) / len(frequency)
    position = np.concatenate([[0.0], rng.normal(0, level, MOVES)])
    moves = np.searchsorted(np.linspace(STILL, 1, MOVES + 1)[:-1], outward, side="right")
    phase = np.exp(-2j * np.pi * frequency * position[moves]).astype(np.complex64)
    lines = np.fft.fft(image - np.float32(low), axis=1) * phase[:, None]
    return _like(image, np.abs(np.fft.ifft(lines, axis=1)) + low)


def thicker_volume(volume: Volume, factor: int) -> Volume:
    """Returns the volume with `factor` axial slices averaged into one; what does not fill a slice at the end is
    dropped.
    """
    averaged = _grouped(volume.array, factor).mean(axis=1, dtype=np.float32)
    i, j, k = volume.geometry.size
    affine = volume.geometry.index_to_world
    origin = affine[:3, 3] + affine[:3, 2] * (factor - 1) / 2
    geometry = Geometry(
        (i, j, k // factor),
        (*volume.geometry.spacing[:2], volume.geometry.spacing[2] * factor),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        volume.geometry.direction,
    )
    return replace(volume, array=_like(volume.array, averaged), geometry=geometry)


def thicker_mask(mask: np.ndarray, factor: int) -> np.ndarray:
    """Returns the structure (bool, k, j, i) on the grid of thicker slices: what fills at least half of a voxel."""
    return np.asarray(2 * _grouped(mask, factor).sum(axis=1) >= factor)


def contour(drawn: np.ndarray, labels: np.ndarray, label: int, slices: Slices, level: float, seed: int) -> None:
    """Every annotated contour is one voxel too wide (`level` 1) or too narrow (-1), in its plane, in place.

    A section that would vanish stays as it is.
    """
    for axis, index in slices:
        section = drawn.swapaxes(0, axis)[index]
        moved = _grown(section) if level > 0 else ~_grown(~section)
        if moved.any():
            section[...] = moved


def wrong_slice(drawn: np.ndarray, labels: np.ndarray, label: int, slices: Slices, level: float, seed: int) -> None:
    """One annotated slice carries what its neighbour, `level` slices on, should have, in place."""
    axis, index = slices[seed % len(slices)]
    truth = (labels == label).swapaxes(0, axis)
    beside = index + int(level)
    if beside >= len(truth) or not truth[beside].any():
        beside = index - int(level)
    drawn.swapaxes(0, axis)[index] = truth[beside]


def mislabelled(drawn: np.ndarray, labels: np.ndarray, label: int, slices: Slices, level: float, seed: int) -> None:
    """On one annotated slice another structure carries the name, in place: the largest other one there.

    Where no other is labelled, it is the structure's own section moved sideways by its width.
    """
    axis, index = slices[seed % len(slices)]
    section, plane = drawn.swapaxes(0, axis)[index], labels.swapaxes(0, axis)[index]
    counts = np.bincount(plane.ravel().astype(np.int64))
    counts[[0, label] if label < len(counts) else [0]] = 0
    section[...] = plane == counts.argmax() if counts.any() else _moved_aside(section)


#: Changes of the image, of the annotated slices, by name.
IMAGE: dict[str, Callable[[np.ndarray, float, int], np.ndarray]] = {
    "noise": noise,
    "bias_field": bias_field,
    "gamma": gamma,
    "low_dose": low_dose,
    "motion": motion,
}
ON_SLICES: dict[str, Callable[[np.ndarray, np.ndarray, int, Slices, float, int], None]] = {
    "contour": contour,
    "wrong_slice": wrong_slice,
    "mislabelled": mislabelled,
}


def _like(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values in the image's type, rounded and clipped to what it holds."""
    if image.dtype.kind == "f":
        return values.astype(image.dtype)
    held = np.iinfo(image.dtype)
    return np.clip(np.rint(values), held.min, held.max).astype(image.dtype)


def _smooth(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """A random sum of a few cosines along each axis, float32 (k, j, i) between -1 and 1 and reaching one of them."""
    field = rng.standard_normal((BIAS_WAVES,) * len(shape))
    field[(0,) * len(shape)] = 0
    for n in shape:
        basis = np.cos(np.pi * np.outer(np.arange(BIAS_WAVES), (np.arange(n) + 0.5) / n))
        field = np.tensordot(field, basis, (0, 0))
    return (field / np.abs(field).max()).astype(np.float32)


def _grouped(array: np.ndarray, factor: int) -> np.ndarray:
    k, j, i = array.shape
    return array[: k // factor * factor].reshape(k // factor, factor, j, i)


def _grown(plane: np.ndarray) -> np.ndarray:
    """Each pixel or one of its four neighbours is set; a structure that the image's edge cuts is not shrunk there."""
    framed = np.pad(plane, 1, mode="edge")
    return plane | framed[:-2, 1:-1] | framed[2:, 1:-1] | framed[1:-1, :-2] | framed[1:-1, 2:]


def _moved_aside(section: np.ndarray) -> np.ndarray:
    """The section beside itself, on the side with more room, as far as there is room."""
    columns = np.flatnonzero(section.any(axis=0))
    width, right = int(columns[-1] - columns[0] + 1), section.shape[1] - 1 - int(columns[-1])
    step = min(width, right) if right >= columns[0] else -min(width, int(columns[0]))
    moved = np.zeros_like(section)
    rows, places = np.nonzero(section)
    moved[rows, places + step] = True
    return moved
