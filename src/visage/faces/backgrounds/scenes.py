"""Scenes behind a person: a room, leaves, a street by day, lights at night."""

import numpy as np

from visage.faces.backgrounds.canvas import CANVAS, Canvas, cells, noise, shades


def room(random: np.random.Generator) -> Canvas:
    """A wall with what hangs and stands before it: shelves, a window, a door, pictures, a lamp."""
    y, x = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    colour = shades(random, 0.42, muted=0.8)
    turn = random.uniform(-1.2, 1.2)
    light = np.exp(turn * (x - 0.5) - 0.3 * (y - 0.5)) * (1 + 0.04 * noise(random, (3,)))
    canvas = Canvas(light[..., None] * colour, random.uniform(1.0, 3.0), random.uniform(0.18, 0.5))
    things = random.choice(
        5, random.integers(1, 4), replace=False, p=[0.18, 0.26, 0.16, 0.28, 0.12]
    )
    # Large things first, so that small ones stand before them.
    side = random.choice([-1, 1])
    for thing in sorted(things.tolist()):
        (_pictures, _window, _door, _shelves, _lamp)[thing](random, canvas, colour, side)
        side = -side
    if random.random() < 0.4:
        _furniture(random, canvas)
    return canvas


def _shelves(random, canvas, colour, side) -> None:
    left = random.uniform(-0.1, 0.2) if side < 0 else random.uniform(0.5, 0.75)
    right = left + random.uniform(0.35, 0.7)
    wood = random.choice([0.05, 0.2, 0.5]) * np.array([1, random.uniform(0.6, 0.95), 0.6])
    boxes, colours = [_box(left, -0.2, right, 1.2)], [0.35 * wood]
    top, pitch = random.uniform(-0.2, -0.05), random.uniform(0.17, 0.3)
    while top < 1.15:
        x = left + 0.01
        while x < right - 0.02:
            if random.random() < 0.12:
                x += random.uniform(0.03, 0.12)
                continue
            wide, high = random.uniform(0.012, 0.04), pitch * random.uniform(0.5, 0.88)
            boxes.append(_box(x, top + pitch - high, min(x + wide, right), top + pitch))
            colours.append(shades(random, 0.22, muted=random.uniform(0.3, 0.95)))
            x += wide + 0.002
        boxes.append(_box(left, top + pitch, right, top + pitch + 0.018))
        colours.append(wood)
        top += pitch
    canvas.boxes(boxes, colours)


def _window(random, canvas, colour, side) -> None:
    left = random.uniform(-0.25, 0.15) if side < 0 else random.uniform(0.55, 0.85)
    right, top = left + random.uniform(0.3, 0.55), random.uniform(-0.25, 0.15)
    bottom = top + random.uniform(0.55, 0.95)
    sky = np.array([0.92, 1.0, 1.1]) * random.uniform(1.0, 2.2)
    frame = 0.75 * colour / colour.max()
    ground = np.array([0.25, 0.36, 0.15]) * random.uniform(0.6, 1.8)
    boxes = [_box(left - 0.025, top - 0.025, right + 0.025, bottom + 0.025),
             _box(left, top, right, bottom),
             _box(left, bottom - 0.4 * (bottom - top), right, bottom, 0.75)]  # fmt: skip
    colours = [frame, sky, ground]
    for k in range(1, random.integers(2, 4)):
        x = left + (right - left) * k / 2
        boxes.append(_box(x - 0.009, top, x + 0.009, bottom))
        colours.append(0.6 * frame)
    y = top + (bottom - top) * random.uniform(0.35, 0.6)
    boxes.append(_box(left, y - 0.008, right, y + 0.008))
    colours.append(0.6 * frame)
    if random.random() < 0.5:
        cloth = shades(random, 0.5, muted=0.8)
        for fold in range(7):
            x = left - 0.08 + 0.022 * fold
            boxes.append(_box(x, top - 0.1, x + 0.022, bottom + 0.15, 0.92))
            colours.append(cloth * (0.75 + 0.35 * (fold % 2)))
    canvas.boxes(boxes, colours)


def _door(random, canvas, colour, side) -> None:
    left = random.uniform(-0.1, 0.1) if side < 0 else random.uniform(0.6, 0.8)
    right, top = left + random.uniform(0.28, 0.4), random.uniform(-0.15, 0.12)
    trim = colour * random.uniform(1.1, 1.5)
    leaf = shades(random, 0.3, muted=0.8) if random.random() < 0.6 else 0.12 * colour
    boxes = [_box(left - 0.03, top - 0.03, right + 0.03, 1.3), _box(left, top, right, 1.3)]
    colours = [trim, leaf]
    if random.random() < 0.5:
        for low, high in ((0.08, 0.42), (0.5, 0.95)):
            boxes.append(_box(left + 0.05, top + low, right - 0.05, top + high))
            colours.append(0.85 * leaf)
    canvas.boxes(boxes, colours)


def _pictures(random, canvas, colour, side) -> None:
    boxes, colours = [], []
    for _ in range(random.integers(1, 4)):
        left, top = random.uniform(-0.05, 0.9), random.uniform(-0.05, 0.5)
        wide, high = random.uniform(0.1, 0.28), random.uniform(0.12, 0.32)
        for inset in (0, 0.014, 0.035):
            box = left + inset, top + inset, left + wide - inset, top + high - inset
            boxes.append(_box(*box))
        colours += [shades(random, random.choice([0.03, 0.3]), muted=0.7), np.full(3, 0.7),
                    shades(random, 0.25, muted=0.5)]  # fmt: skip
    canvas.boxes(boxes, colours)


def _lamp(random, canvas, colour, side) -> None:
    x = random.uniform(0.0, 0.25) if side < 0 else random.uniform(0.75, 1.0)
    y = random.uniform(0.1, 0.55)
    warm = np.array([1.0, 0.72, 0.42])
    px, py = cells(x), cells(y)
    # The glow on the wall in rings, then the stand, then the shade.
    rings = [[px, py, 10.0 * k, 9.0 * k, 0.10 / k, 1] for k in (1, 2, 3)]
    canvas.discs(rings, [2.0 * warm] * 3)
    wide = random.uniform(0.05, 0.09)
    canvas.boxes(
        [_box(x - 0.008, y + 0.05, x + 0.008, 1.2), _box(x - wide, y - 0.06, x + wide, y + 0.06)],
        [np.full(3, 0.05), random.uniform(1.3, 2.4) * warm],
    )


def _furniture(random, canvas) -> None:
    """A sofa's back, or a board, across the lower part."""
    top = random.uniform(0.6, 0.85)
    left = random.uniform(-0.3, 0.4)
    colour = shades(random, 0.15, muted=0.6)
    right = left + random.uniform(0.5, 1.0)
    canvas.boxes([_box(left, top, right, 1.3), _box(left, top, right, top + 0.03, 0.5)],
                 [colour, 1.6 * colour])  # fmt: skip


def foliage(random: np.random.Generator) -> Canvas:
    """Leaves and grass far out of focus, with the sky's light as discs between them."""
    y = np.mgrid[0:CANVAS, 0:CANVAS][0] / CANVAS
    season = random.choice(4, p=[0.5, 0.25, 0.15, 0.1])
    leaf = np.array([(0.08, 0.13, 0.03), (0.12, 0.17, 0.035), (0.22, 0.13, 0.03),
                     (0.05, 0.085, 0.045)])[season]  # fmt: skip
    sky = np.array([0.75, 0.9, 1.1]) * random.uniform(0.7, 1.4)
    tone = np.exp(0.55 * noise(random, (3, 7, 15)))
    light = tone[..., None] * leaf * np.exp(0.25 * noise(random, (4,)))[..., None] ** [1, 0.3, -0.5]
    horizon = random.uniform(-0.2, 0.45)
    edge = 1 / (1 + np.exp((y - horizon + 0.09 * noise(random, (4, 9))) / 0.02))
    light = light + edge[..., None] * (sky - light)
    ground = random.uniform(0.65, 1.1)
    meadow = 1 / (1 + np.exp(-(y - ground) / 0.03))
    grass = np.array([0.16, 0.21, 0.06]) * random.uniform(0.7, 1.6)
    lit = grass * np.exp(0.2 * noise(random, (5, 11)))[..., None]
    light = light + meadow[..., None] * (lit - light)
    canvas = Canvas(light, random.uniform(1.2, 2.2), random.uniform(0.16, 0.42))
    if random.random() < 0.45:  # trunks
        trunks = [(x, random.uniform(0.02, 0.07)) for x in random.uniform(-0.1, 1.1, 3)]
        bark = [np.array([0.05, 0.035, 0.022]) * random.uniform(0.6, 2) for _ in trunks]
        canvas.boxes([_box(x, -0.2, x + w, ground + 0.05, 0.85) for x, w in trunks], bark)
    count, size = random.integers(40, 120), random.uniform(1.5, 5.0)
    where = np.column_stack([random.uniform(0, CANVAS, count), random.uniform(0, CANVAS, count)])
    where[:, 1] *= random.uniform(0.55, 0.9)
    radii = size * random.uniform(0.75, 1.15, count)
    strength = random.gamma(1.0, 0.22, count)
    warm = np.array([1.0, 1.0, 0.62]) ** random.uniform(0, 1.5, (count, 1))
    discs = np.column_stack([where, radii, np.full(count, 0.7), strength, np.ones(count)])
    canvas.discs(discs, warm * (0.35 * sky + 1.6 * leaf))
    return canvas


def street(random: np.random.Generator) -> Canvas:
    """Houses on one or both sides under the sky, a pavement, and what passes on it."""
    y, _ = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    sky = np.array([0.72, 0.85, 1.0]) ** random.uniform(0, 1.3) * random.uniform(0.8, 1.5)
    light = sky * (0.8 + 0.35 * y)[..., None]
    canvas = Canvas(light, random.uniform(1.3, 2.6), random.uniform(0.22, 0.5))
    vanishing, horizon = random.uniform(0.25, 0.75), random.uniform(0.5, 0.75)
    boxes, colours = [], []
    for side in random.choice([-1, 1], random.integers(1, 3), replace=False).tolist():
        depth, place = 1.0, 0.0 if side < 0 else 1.0
        stone = shades(random, 0.28, muted=0.8)
        for _ in range(5):
            near, depth = depth, depth * random.uniform(0.6, 0.8)
            inner = vanishing + (place - vanishing) * depth
            outer = vanishing + (place + 0.35 * side - vanishing) * near
            top = horizon - random.uniform(0.55, 1.0) * depth
            left, right = sorted((inner, outer))
            stone = stone * random.uniform(0.7, 1.35)
            haze = 0.35 * (1 - depth)
            boxes.append(_box(left, top, right, horizon + 0.2 * depth))
            colours.append((1 - haze) * stone + haze * sky * 0.8)
            pane = 0.07 * near
            for row in np.arange(top + 0.06 * near, horizon - 0.02, 1.9 * pane):
                for column in np.arange(left + 0.4 * pane, right - pane, 1.6 * pane):
                    boxes.append(_box(column, row, column + 0.8 * pane, row + 1.2 * pane, 0.7))
                    colours.append(sky * random.choice([0.08, 0.15, 0.5]))
    canvas.boxes(boxes, colours)
    road = np.full(3, random.uniform(0.12, 0.35)) * np.array([1.0, 0.98, 0.95])
    canvas.boxes([_box(-0.3, horizon + 0.08, 1.3, 1.3)], [road])
    passing = random.integers(1, 6)
    canvas.boxes(
        [_box(x, horizon + 0.08 - h, x + w, horizon + 0.14)
         for x, w, h in zip(random.uniform(-0.1, 1, passing), random.uniform(0.04, 0.2, passing),
                            random.uniform(0.05, 0.16, passing), strict=True)],
        [shades(random, 0.12, muted=0.5) for _ in range(passing)],
    )  # fmt: skip
    if random.random() < 0.5:  # a tree
        x, w = cells(random.choice([0.05, 0.95])), random.uniform(8, 18)
        spots = random.normal(0, 1, (40, 2)) * [w, 0.8 * w] + [x, cells(0.25)]
        discs = [[*spot, random.uniform(3, 7), 1.5, 0.7, 0] for spot in spots]
        canvas.discs(discs, [np.array([0.07, 0.11, 0.03]) * random.uniform(0.4, 2) for _ in discs])
    return canvas


def night(random: np.random.Generator) -> Canvas:
    """Lamps of a town or a restaurant as discs on the dark."""
    y, _ = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    base = shades(random, 0.05, muted=0.5)
    light = base * np.exp(0.5 * noise(random, (3, 6)))[..., None] * (0.6 + y)[..., None]
    canvas = Canvas(light, random.uniform(0.9, 1.4), random.uniform(0.08, 0.2))
    count = random.integers(18, 60)
    size = random.uniform(2.5, 7)
    kinds = np.array([(1.0, 0.62, 0.28), (1.0, 0.8, 0.55), (0.85, 0.95, 1.0), (1.0, 0.12, 0.08),
                      (0.2, 0.9, 0.4), (0.25, 0.45, 1.0)])  # fmt: skip
    chosen = random.choice(len(kinds), count, p=[0.38, 0.27, 0.15, 0.1, 0.05, 0.05])
    where = np.column_stack([random.uniform(0, CANVAS, count),
                             random.normal(0.5 * CANVAS, 0.2 * CANVAS, count)])  # fmt: skip
    strength = random.gamma(1.3, 0.25, count)
    discs = np.column_stack([where, size * random.uniform(0.6, 1.1, count), np.full(count, 0.6),
                             strength, np.ones(count)])  # fmt: skip
    canvas.discs(discs, kinds[chosen])
    return canvas


def _box(left, top, right, bottom, opacity=1.0) -> list[float]:
    """A box in cells from normalised coordinates."""
    return [*cells([left, top, right, bottom]).tolist(), opacity]
