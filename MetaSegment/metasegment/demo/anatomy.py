"""A schematic upper abdomen in the portal venous phase, drawn organ by organ on a canvas.

Places are mm to the patient's left, back and head of the volume's centre; sizes are those of a slim adult.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .canvas import Canvas, Point, Region, smooth_path, smooth_union

LIVER, SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, STOMACH, GALLBLADDER = range(1, 7)
_OTHER = 0
_INF = float("inf")

# Attenuation in HU, as read off contrast-enhanced CT at 120 kV; fat is -120 to -90, soft tissue 30 to 70.
_AIR, _FAT, _SKIN, _MUSCLE, _LUNG = -1000, -105, 15, 60, -860
_LIVER, _SPLEEN, _PANCREAS, _CORTEX, _MEDULLA, _HEART = 106, 118, 94, 190, 125, 115
_BILE, _URINE, _FLUID, _WALL, _STOOL, _ARTERY, _VEIN = 8, 12, 24, 84, 40, 150, 158
_COMPACT, _MARROW, _DISC, _CSF, _CORD, _TABLE = 800, 190, 85, 15, 38, 80


def draw_abdomen(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw everything; what comes later displaces what was there."""
    cavity = _trunk(canvas)
    dome = _diaphragm_and_lungs(canvas, cavity, rng)
    _heart(canvas)
    _muscles(canvas)
    _spine(canvas)
    _ribs(canvas)
    belly = np.maximum(cavity, dome) + 2.5
    _small_bowel(canvas, belly, rng)
    _pancreas(canvas)
    _stomach(canvas, belly)
    _liver(canvas, belly, rng)
    _spleen(canvas, belly)
    _kidney(canvas, 1, -22, LEFT_KIDNEY)
    _kidney(canvas, -1, -34, RIGHT_KIDNEY)
    _great_vessels(canvas)
    _colon(canvas, belly)
    _gallbladder(canvas)


def _trunk(canvas: Canvas) -> np.ndarray:
    """Table, skin, fat and the muscular wall; returns the distance to the cavity they enclose."""
    body = canvas.whole()
    table = np.abs(body.depth - 118 + (body.x / 40) ** 2) - 2.2
    canvas.paint(body, table, _TABLE)
    skin = _girth(body, 157, 112, 104)
    canvas.paint(body, skin, _SKIN)
    canvas.paint(body, skin + 2.5, _FAT + 6 * canvas.grain)
    wall = _girth(body, 140, 92, 93)
    canvas.paint(body, wall, _MUSCLE + 8 * canvas.grain)
    canvas.paint(body, np.abs(wall + 6) - 0.6, -30)  # fat between the layers
    cavity = _girth(body, 126, 79, 62)
    canvas.paint(body, cavity, _FAT + 8 * canvas.grain)
    return cavity


def _diaphragm_and_lungs(canvas: Canvas, cavity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lung bases above the diaphragm; returns the distance to the dome under it."""
    chest = canvas.whole()
    dome = chest.ellipsoid((-60, 0, -20), (82, 92, 114))
    dome = smooth_union(dome, chest.ellipsoid((66, 5, -20), (76, 86, 106)), 15)
    dome = smooth_union(dome, chest.ellipsoid((0, -15, -20), (75, 72, 98)), 15)
    mediastinum = chest.ellipsoid((4, 25, 0), (27, 52, _INF))
    lung = np.maximum(np.maximum(cavity + 1, -dome), np.maximum(-mediastinum, 8 - chest.z))
    canvas.paint(chest, lung, _LUNG + 0.6 * chest.y + 25 * canvas.grain)
    for _ in range(60):
        branch = rng.uniform((-115, -60, 60), (115, 55, 125))
        _fill(canvas, [(*branch, 1.8), (*(branch + rng.normal(0, 9, 3)), 1.2)], _MUSCLE)
    canvas.paint(chest, np.maximum(np.abs(dome) - 1.3, np.maximum(cavity, -chest.z)), _MUSCLE)
    return dome


def _heart(canvas: Canvas) -> None:
    chest = canvas.around((22, -38, 128), (75, 55, 50))
    heart = chest.ellipsoid((22, -38, 128), (62, 42, 40), (0, 0, 20))
    canvas.paint(chest, heart - 6, _FAT)
    canvas.paint(chest, heart, _HEART)
    canvas.paint(chest, heart + 9, _VEIN)


def _muscles(canvas: Canvas) -> None:
    back = canvas.around((0, 72, 0), (70, 30, _INF))
    mirrored = replace(back, x=np.abs(back.x))
    erector = mirrored.ellipsoid((30, 73, 0), (27, 19, _INF))
    canvas.paint(back, np.abs(erector) - 0.9, -40)
    for side in (-1, 1):
        psoas = [(side * 20, 34, 30, 4), (side * 32, 34, -20, 12), (side * 42, 30, -80, 18), (side * 46, 26, -128, 20)]
        _fill(canvas, psoas, _MUSCLE, halo=1)
        _fill(canvas, [(side * 12, 16, 75, 4), (side * 11, 20, 0, 5), (side * 9, 22, -45, 3)], _MUSCLE)
        flank = canvas.around((side * 62, 50, -85), (24, 12, 80))
        canvas.paint(flank, flank.ellipsoid((side * 62, 50, -85), (20, 9, 75)), _MUSCLE)


def _spine(canvas: Canvas) -> None:
    """Vertebrae every 33 mm, with compact shells, discs between them and the cord behind."""
    column = canvas.around((0, 60, 0), (60, 50, _INF))
    level = (column.z - 6) % 33 - 16.5
    waist = 0.92 + 0.1 * (level / 13) ** 2
    grain = canvas.grain[column.window]
    one = replace(column, x=np.abs(column.x), z=level)
    round_ = replace(one, x=one.x / waist, y=(one.y - 37) / waist).ellipsoid((0, 0, 0), (24, 17, _INF))
    body = np.maximum(round_, np.abs(level) - 13)
    canvas.paint(column, round_, _DISC)
    ring = np.maximum(np.abs(one.ellipsoid((0, 62, 0), (15, 13, _INF))) - 3, np.abs(level + 3) - 11)
    arch = np.minimum(ring, one.ellipsoid((32, 58, 0), (17, 5, 6)))
    arch = np.minimum(arch, one.ellipsoid((0, 84, -6), (4, 15, 10)))
    arch = np.minimum(arch, one.ellipsoid((17, 67, -13), (7, 6, 8)))
    bone = np.minimum(body, arch)
    canvas.paint(column, bone, _COMPACT)
    canvas.paint(column, bone + 2.2, _MARROW + 35 * grain)
    canal = one.ellipsoid((0, 62, 0), (11, 9, _INF))
    canvas.paint(column, canal, _CSF)
    canvas.paint(column, canal + 4, _CORD)


def _ribs(canvas: Canvas) -> None:
    """Tubes that follow the wall and sink towards the front, down to the costal margin."""
    chest = canvas.whole()
    cage = _girth(chest, 133, 86, 70)
    level = (chest.z - 0.5 * chest.y - 3) % 27 - 13.5
    rib = 4.5 * (np.sqrt((cage / 4.5) ** 2 + (level / 7) ** 2) - 1)
    rib = np.maximum(np.maximum(rib, 34 - np.abs(chest.x)), 0.7 * (22 - chest.z - 0.9 * chest.y))
    canvas.paint(chest, rib, _COMPACT)
    canvas.paint(chest, rib + 1.8, _MARROW)


def _small_bowel(canvas: Canvas, belly: np.ndarray, rng: np.random.Generator) -> None:
    for _ in range(34):
        start = rng.uniform((-60, -62, -128), (75, 0, -50))
        walk = start + np.cumsum(rng.normal(0, (20, 14, 12), (4, 3)), axis=0)
        walk = np.clip(walk, (-70, -68, -130), (82, 4, -48))
        radius = rng.uniform(9, 13)
        gut, loop = canvas.tube(smooth_path([(*point, radius) for point in walk]), margin=2)
        loop = np.maximum(loop, belly[gut.window])
        canvas.paint(gut, loop - 1.5, _FAT)
        canvas.paint(gut, loop, _WALL + 15)
        canvas.paint(gut, loop + 3, rng.uniform(10, 60) + 12 * canvas.grain[gut.window])
        canvas.paint(gut, np.maximum(loop + 3, gut.depth - walk[:, 1].mean() + 5), _AIR if rng.random() < 0.3 else 30)


def _pancreas(canvas: Canvas) -> None:
    path = [(-28, -12, -40, 12), (-22, -16, -12, 13), (5, -22, 2, 10), (40, -8, 12, 10), (76, 12, 22, 8)]
    gland, pancreas = canvas.tube(smooth_path(path), margin=3)
    lobules = canvas.grain[gland.window]
    canvas.paint(gland, pancreas + 1.5 * lobules, _PANCREAS + 12 * lobules)
    duodenum = [(-22, -36, 2, 11), (-46, -18, -5, 12), (-48, -5, -36, 12), (-30, 2, -58, 11), (10, 2, -60, 10)]
    _fill(canvas, duodenum, _WALL, halo=1)
    _fill(canvas, _thinner(duodenum, 3), _FLUID)


def _stomach(canvas: Canvas, belly: np.ndarray) -> None:
    path = [(50, 24, 72, 22), (60, 10, 62, 32), (68, -16, 40, 34), (58, -42, 12, 28), (30, -56, -8, 21),
            (2, -50, -10, 15), (-20, -40, 0, 10)]  # fmt: skip
    _fill(canvas, [(10, 10, 128, 7), (18, 4, 90, 7), (36, 4, 74, 8)], _WALL, halo=1)  # oesophagus
    bag, stomach = canvas.tube(smooth_path(path), margin=3)
    stomach = np.maximum(stomach, belly[bag.window])
    grain = canvas.grain[bag.window]
    lumen = stomach + 4.5 + 1.2 * grain  # an uneven wall: rugae
    canvas.paint(bag, stomach - 1.5, _FAT, _OTHER)
    canvas.paint(bag, stomach, _WALL, STOMACH)
    canvas.paint(bag, lumen, _FLUID + 10 * grain)
    canvas.paint(bag, np.maximum(lumen, bag.depth + 46), _AIR)


def _liver(canvas: Canvas, belly: np.ndarray, rng: np.random.Generator) -> None:
    lobes = canvas.around((-40, -10, 20), (125, 100, 115))
    liver = lobes.ellipsoid((-68, -6, 16), (76, 84, 96), (0, 8, 0))
    liver = smooth_union(liver, lobes.ellipsoid((8, -48, 54), (74, 36, 36), (0, -14, 0)), 25)
    hollow = lobes.ellipsoid((24, 20, -34), (88, 90, 86))  # where the viscera press from below
    hollow = np.minimum(hollow, lobes.ellipsoid((10, 32, 0), (28, 28, _INF)))  # and the spine from behind
    liver = np.maximum(np.maximum(liver, -hollow), belly[lobes.window])
    grain = canvas.grain[lobes.window]
    canvas.paint(lobes, liver, _LIVER + 4 * grain, LIVER)
    fissure = lobes.ellipsoid((-10, -62, 30), (4, 30, 32), (0, 0, 12))
    canvas.paint(lobes, np.maximum(fissure, liver), _FAT, _OTHER)
    veins: list[Sequence[Point]] = [
        [(-20, 14, 74, 7), (-60, 20, 60, 5), (-100, 22, 30, 2)],
        [(-20, 12, 74, 7), (-42, -20, 62, 5), (-60, -55, 30, 2)],
        [(-18, 8, 76, 6), (0, -25, 68, 4), (28, -50, 60, 2)],
        [(-8, -4, -8, 7), (-34, 2, 24, 6.5), (-70, 0, 22, 5), (-98, -20, 10, 2)],
        [(-40, 2, 24, 6), (-70, 20, 40, 4), (-95, 35, 60, 2)],
        [(-34, 2, 24, 6), (-14, -22, 42, 5), (8, -52, 46, 2)],
    ]
    for trunk in list(veins):
        for _ in range(5):
            start = np.array(trunk[1][:3])
            end = start + rng.normal(0, (22, 22, 18))
            veins.append([(*start, 3), (*((start + end) / 2 + rng.normal(0, 4, 3)), 2.2), (*end, 1.2)])
    for vein in veins:
        course, vessel = canvas.tube(smooth_path(vein))
        canvas.paint(course, np.where(canvas.labels[course.window] == LIVER, vessel, _INF), _VEIN)


def _spleen(canvas: Canvas, belly: np.ndarray) -> None:
    bed = canvas.around((92, 34, 42), (50, 60, 66))
    spleen = bed.ellipsoid((92, 34, 42), (46, 46, 60), (18, 0, 0))
    hollow = bed.ellipsoid((40, -6, 36), (46, 48, 84))  # where stomach and kidney press
    spleen = np.maximum(np.maximum(spleen, -hollow), belly[bed.window])
    canvas.paint(bed, spleen - 1.5, _FAT, _OTHER)
    canvas.paint(bed, spleen, _SPLEEN + 4 * canvas.grain[bed.window], SPLEEN)


def _kidney(canvas: Canvas, side: int, height: float, label: int) -> None:
    """The left kidney at side 1, the right one at -1: fat capsule, cortex, pyramids, sinus and pelvis."""
    x, y, z = side * 62.0, 30.0, height
    bed = canvas.around((x, y, z), (45, 40, 72))
    outer = bed.ellipsoid((x, y, z), (28, 25, 56), (-12, -12 * side, 0))
    sinus = bed.ellipsoid((x - side * 16, y - 4, z), (17, 8, 26), (-12, -12 * side, 0))
    kidney = np.maximum(outer, -sinus)
    canvas.paint(bed, outer - 4, _FAT, _OTHER)
    canvas.paint(bed, kidney, _CORTEX, label)
    for rise in (-36, -18, 0, 18, 36):
        for angle in np.radians((-75, -25, 25, 75)):
            lean = -side * 0.2 * rise
            root = (x + lean - side * 4, y + 0.2 * rise, z + 0.6 * rise, 2)
            tip = (x + lean + side * 18 * np.cos(angle), y + 0.2 * rise + 16 * np.sin(angle), z + rise, 6)
            cone, pyramid = canvas.tube(smooth_path([root, tip]))
            in_kidney = canvas.labels[cone.window] == label
            canvas.paint(cone, np.where(in_kidney, pyramid, _INF), _MEDULLA)
    canvas.paint(bed, np.maximum(sinus, outer), _FAT + 20, _OTHER)
    _fill(canvas, [(x - side * 8, y - 3, z, 5), (x - side * 26, y - 4, z - 8, 5), (side * 32, 22, z - 40, 2.5),
                   (side * 34, 12, -128, 2)], _URINE)  # fmt: skip
    _fill(canvas, [(x - side * 8, y - 6, z + 6, 3), (x - side * 28, y - 14, z + 6, 4.5), (-10, 2, z + 8, 4.5)], _VEIN)


def _great_vessels(canvas: Canvas) -> None:
    aorta = [(14, 24, 128, 12), (10, 11, 60, 11), (5, 7, 0, 10), (2, 6, -60, 9), (0, 9, -128, 8.5)]
    _fill(canvas, [(-18, 2, 104, 12), (-20, 8, 60, 12), (-22, 10, 0, 11.5), (-22, 12, -128, 11)], _VEIN, halo=1)
    _fill(canvas, aorta, _ARTERY, halo=1.5)
    _fill(canvas, [(5, -4, 4, 4), (4, -16, -25, 4), (0, -22, -120, 3)], _ARTERY, halo=1.5)  # mesenteric
    _fill(canvas, [(6, -2, 18, 3.5), (4, -16, 24, 3.5), (-30, -8, 24, 2.5)], _ARTERY)  # hepatic
    _fill(canvas, [(76, 18, 28, 3), (35, -2, 12, 4), (-6, -4, -6, 5)], _VEIN)  # splenic
    _fill(canvas, [(-8, -24, -120, 4), (-9, -12, -40, 6), (-8, -4, -8, 7), (-34, 2, 24, 6.5)], _VEIN)  # portal
    for x, y, z in ((-8, 8, -40), (10, 12, -75), (8, 0, -30)):  # plaques
        _fill(canvas, [(x, y, z, 1.6), (x, y + 3, z + 8, 1.6)], _COMPACT)


def _colon(canvas: Canvas, belly: np.ndarray) -> None:
    course = [(-96, 10, -128, 20), (-95, 8, -106, 20), (-84, -16, -88, 18), (-58, -52, -84, 16),
              (-20, -64, -84, 16), (40, -64, -58, 16), (84, -48, -28, 16), (104, -16, -10, 15),
              (108, 18, -34, 13), (106, 26, -128, 12)]  # fmt: skip
    path = smooth_path(course)
    arc = np.cumsum(path[:, 3]) / 3
    path[:, 3] *= 1 + 0.14 * np.sin(arc * (2 * np.pi / 26))  # haustra
    gut, colon = canvas.tube(path, margin=3)
    colon = np.maximum(colon, belly[gut.window])
    grain = canvas.grain[gut.window]
    canvas.paint(gut, colon - 1.5, _FAT, _OTHER)
    canvas.paint(gut, colon, _WALL, _OTHER)
    canvas.paint(gut, colon + 2.5, np.where(grain > 1.4, -350, _STOOL + 35 * grain))
    canvas.paint(gut, np.maximum(colon + 2.5, gut.depth + 64), _AIR)


def _gallbladder(canvas: Canvas) -> None:
    path = [(-30, -22, 8, 5), (-34, -31, -5, 12), (-38, -40, -21, 16), (-42, -46, -38, 13)]
    _fill(canvas, path, _WALL - 15, GALLBLADDER)
    _fill(canvas, _thinner(path, 2), _BILE, GALLBLADDER)


def _fill(canvas: Canvas, path: Sequence[Point], hu: float, label: int = _OTHER, halo: float = 0) -> None:
    """A tube through points (x, y, z, radius), in `halo` mm of fat."""
    course, tube = canvas.tube(smooth_path(path), margin=halo)
    if halo:
        canvas.paint(course, tube - halo, _FAT, _OTHER)
    canvas.paint(course, tube, hu, label)


def _thinner(path: Sequence[Point], by: float) -> list[Point]:
    return [(*point[:3], point[3] - by) for point in path]


def _girth(region: Region, half_width: float, front: float, back: float) -> np.ndarray:
    """Distance to an upright body contour, flatter at the back than at the front."""
    y = np.where(region.y > 0, region.y * np.float32(front / back), region.y)
    return replace(region, y=y).ellipsoid((0, 0, 0), (half_width, front, _INF))
