"""How a strand scatters light, compiled; `visage.faces.hair.strands_torch` has it in torch.

After Kajiya and Kay (1989) and, for the two highlights, Marschner et al. (2003) in the form of
Scheuermann (2004): with t the tangent, l and v the directions to light and viewer, h between them,

    diffuse   = colour · wrap(n·l) · (DIM + (1 - DIM) sin(t, l))
    first     = sin(t₁, h)^SHARP, white, reflected by the outer scales, shifted to the root
    second    = sin(t₂, h)^BLUNT, coloured, through the strand and back, shifted to the tip
    forward   = colour · max(-l·v, 0)², straight through, when the light is behind

n is a normal of the head of hair as a whole: it points away from a line through the neck that ends
in the middle of the skull, and is turned towards the plane across the strand. The key light is
dimmed by exp(-g/DEPTH), g how far behind the first hair it meets the point lies, as in a deep
opacity map (Yuksel and Keyser 2008) with one layer; the surroundings' by the strand's openness.
"""

import numpy as np
from numba import njit

AXIS = (0.0, 35.0, -5.0)
"""mm, head frame: the upper end of the line that the volume's normals point away from."""

WRAP = 0.35
DIM = 0.35
SHIFT = (0.10, -0.18)  # of the tangent along the normal: about 6 and 10 degrees
JITTER = 0.10  # by which strands differ in it, so that highlights break up
SHARP, BLUNT = 70, 14
FIRST, SECOND, FORWARD = 0.16, 0.6, 0.5
SHEEN = 0.012  # of the surroundings, mirrored; keeps black hair from being a hole
FREE, DEPTH = 2.0, 16.0  # mm behind the first hair that stay lit, and over which light fades


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def light_up(
    head, view, starts, colour, openness, needed, rotation, eye, sky, key, shadow, shine, result
):
    """Write what points of the strands send to the camera.

    Args:
        head: (N, 3) float32, mm, head frame.
        view: (N, 3) float32, mm, view frame.
        starts: (S + 1,) int64.
        colour: (S, 3) float32.
        openness: (N,) float32.
        needed: (N,) bool, which points to light.
        rotation: (3, 3) float32, head to view frame.
        eye: true for a camera at the origin of the view frame, false for one far away along z.
        sky: (9, 3) float32: the surroundings' light as a polynomial in the normal, see
            `visage.faces.hair.strands`.
        key: (2, 3) float32, direction and colour.
        shadow: frame (3, 4) float32 and depth (T, T) float32.
        shine: factor of both highlights.
        result: (N, 3) float32; rows of needed points are overwritten.
    """
    one, zero, tiny = np.float32(1), np.float32(0), np.float32(1e-12)
    lx, ly, lz = key[0, 0], key[0, 1], key[0, 2]
    for s in range(len(starts) - 1):
        jitter = np.float32(JITTER) * (np.float32((s * 7919) % 1009) / np.float32(504) - one)
        for j in range(starts[s], starts[s + 1]):
            if not needed[j]:
                continue
            before, after = max(j - 1, starts[s]), min(j + 1, starts[s + 1] - 1)
            tx, ty, tz = (
                view[after, 0] - view[before, 0],
                view[after, 1] - view[before, 1],
                view[after, 2] - view[before, 2],
            )
            k = one / np.sqrt(tx * tx + ty * ty + tz * tz + tiny)
            tx, ty, tz = tx * k, ty * k, tz * k
            # Normal of the volume, then turned across the strand.
            hx = head[j, 0] - np.float32(AXIS[0])
            hy = max(head[j, 1] - np.float32(AXIS[1]), zero)
            hz = head[j, 2] - np.float32(AXIS[2])
            nx = rotation[0, 0] * hx + rotation[0, 1] * hy + rotation[0, 2] * hz
            ny = rotation[1, 0] * hx + rotation[1, 1] * hy + rotation[1, 2] * hz
            nz = rotation[2, 0] * hx + rotation[2, 1] * hy + rotation[2, 2] * hz
            k = one / np.sqrt(nx * nx + ny * ny + nz * nz + tiny)
            nx, ny, nz = nx * k, ny * k, nz * k
            k = np.float32(0.7) * (nx * tx + ny * ty + nz * tz)
            nx, ny, nz = nx - k * tx, ny - k * ty, nz - k * tz
            k = one / np.sqrt(nx * nx + ny * ny + nz * nz + tiny)
            nx, ny, nz = nx * k, ny * k, nz * k
            # Halfway between light and viewer.
            vx, vy, vz = zero, zero, one
            if eye:
                k = -one / np.sqrt(view[j, 0] ** 2 + view[j, 1] ** 2 + view[j, 2] ** 2 + tiny)
                vx, vy, vz = view[j, 0] * k, view[j, 1] * k, view[j, 2] * k
            mx, my, mz = lx + vx, ly + vy, lz + vz
            k = one / np.sqrt(mx * mx + my * my + mz * mz + tiny)
            mx, my, mz = mx * k, my * k, mz * k

            t_l, n_l = tx * lx + ty * ly + tz * lz, nx * lx + ny * ly + nz * lz
            t_m, n_m, t_n = (
                tx * mx + ty * my + tz * mz,
                nx * mx + ny * my + nz * mz,
                tx * nx + ty * ny + tz * nz,
            )
            lit = _lit(view[j, 0], view[j, 1], view[j, 2], shadow)
            wrap = min(max((n_l + np.float32(WRAP)) * np.float32(1 / (1 + WRAP)), zero), one)
            sine = np.sqrt(max(one - t_l * t_l, zero))
            diffuse = wrap * (np.float32(DIM) + np.float32(1 - DIM) * sine)
            behind = max(-(lx * vx + ly * vy + lz * vz), zero)
            diffuse += np.float32(FORWARD) * behind * behind * sine
            first = _lobe(t_m, n_m, t_n, np.float32(SHIFT[0]) + jitter, SHARP)
            second = _lobe(t_m, n_m, t_n, np.float32(SHIFT[1]) + jitter, BLUNT)
            gleam = shine * wrap
            first *= np.float32(FIRST) * gleam
            second *= np.float32(SECOND) * gleam
            open_key = np.sqrt(openness[j]) * lit
            for c in range(3):
                sky_c = sky[0, c] + nx * sky[3, c] + ny * sky[1, c] + nz * sky[2, c]
                sky_c += nx * (ny * sky[4, c] + nz * sky[7, c]) + ny * nz * sky[5, c]
                sky_c += nz * nz * sky[6, c] + (nx * nx - ny * ny) * sky[8, c]
                sky_c = max(sky_c, zero) * openness[j]
                own = colour[s, c]
                scattered = (
                    own * diffuse + first + np.sqrt(own) * own * second / (own + np.float32(0.1))
                )
                result[j, c] = key[1, c] * open_key * scattered + sky_c * (
                    own + shine * np.float32(SHEEN)
                )


@njit(cache=True, nogil=True, error_model="numpy")
def _lobe(t_m, n_m, t_n, shift, power):
    """sin^power of the angle between the halfway vector and the tangent shifted by the normal."""
    one = np.float32(1)
    # |t + s n|² = 1 + 2 s (t·n) + s²
    squared = (t_m + shift * n_m) ** 2 / (one + np.float32(2) * shift * t_n + shift * shift)
    squared = max(one - squared, np.float32(0))
    result = one
    # sin^p = (sin²)^(p/2), by repeated squaring.
    p = power // 2
    while p > 0:
        if p & 1:
            result *= squared
        squared *= squared
        p >>= 1
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _lit(px, py, pz, shadow):
    """Share of the key light that gets through the hair before a place, bilinear."""
    f, depth = shadow
    size, one = len(depth), np.float32(1)
    x = f[0, 0] * px + f[0, 1] * py + f[0, 2] * pz + f[0, 3]
    y = f[1, 0] * px + f[1, 1] * py + f[1, 2] * pz + f[1, 3]
    if not (0 <= x < size - 1 and 0 <= y < size - 1):
        return one
    z = f[2, 0] * px + f[2, 1] * py + f[2, 2] * pz + f[2, 3] - np.float32(FREE)
    i, j = int(x), int(y)
    u, v = x - np.float32(i), y - np.float32(j)
    a, b = _passed(z - depth[j, i]), _passed(z - depth[j, i + 1])
    c, d = _passed(z - depth[j + 1, i]), _passed(z - depth[j + 1, i + 1])
    upper, lower = a + u * (b - a), c + u * (d - c)
    return upper + v * (lower - upper)


@njit(cache=True, nogil=True, error_model="numpy")
def _passed(gap):
    return np.exp(-max(gap, np.float32(0)) * np.float32(1 / DEPTH))
