"""Compiled loops from triangles to what a pixel sees: normals, places, textures.

Forwards only, for when no derivative is wanted: each value is touched once, and nothing is done
where the picture is empty. `visage.faces.shape`, `visage.faces.buffers` and `visage.faces.surface`
check the input, and hold the same in torch. Everything is float32, but for the weights.
"""

import numpy as np
from numba import njit

_SMALL = np.float32(1e-12)


@njit(cache=True, nogil=True, error_model="numpy")
def sum_normals(vertices, triangles, normals):
    """Write unit normals, weighted by the triangles' areas, into zeros (B, V, 3).

    Args:
        vertices: (B, V, 3).
        triangles: (F, 3) int64.
        normals: (B, V, 3), zeros; overwritten.
    """
    for image in range(len(vertices)):
        v, n = vertices[image], normals[image]
        for face in range(len(triangles)):
            a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
            x, y, z = v[a, 0], v[a, 1], v[a, 2]
            ux, uy, uz = v[b, 0] - x, v[b, 1] - y, v[b, 2] - z
            wx, wy, wz = v[c, 0] - x, v[c, 1] - y, v[c, 2] - z
            x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
            for corner in (a, b, c):
                n[corner, 0] += x
                n[corner, 1] += y
                n[corner, 2] += z
        for i in range(len(n)):
            length = np.sqrt(n[i, 0] ** 2 + n[i, 1] ** 2 + n[i, 2] ** 2)
            scale = np.float32(1) / max(length, _SMALL)
            n[i, 0] *= scale
            n[i, 1] *= scale
            n[i, 2] *= scale


@njit(cache=True, nogil=True, error_model="numpy")
def see(points, view, turned, still, uv, triangles, uv_triangles, ids, perspective, seen):
    """Draw all that a head carries at once, where `ids` covers a pixel.

    Args:
        points: (B, V, 3), pixels and depth.
        view: (B, V, 3), mm, view frame.
        turned: (B, V, 3), normals in the view frame.
        still: (V, 4), occlusion and mean coordinates.
        uv: (U, 2).
        triangles: (F, 3) int64.
        uv_triangles: (F, 3) int64.
        ids: (B, H, W) int32.
        perspective: as `visage.faces.raster.barycentric` takes it.
        seen: positions (B, 3, H, W), unit normals (B, 3, H, W), occlusion (B, 1, H, W), mean
            coordinates (B, 3, H, W) and texture coordinates (B, 2, H, W), all zeros, and depth
            (B, 1, H, W), infinite; overwritten.
    """
    positions, normals, occlusion, mean, texture, depth = seen
    count, height, width = ids.shape
    # Row by row, and then picture by picture: rows of many pictures would share few cache lines.
    columns, faces = np.empty(width, np.int64), np.empty(width, np.int64)
    weights = np.empty((width, 3), np.float32)
    for image in range(count):
        p, v, n = points[image], view[image], turned[image]
        for row in range(height):
            found = 0
            for column in range(width):
                columns[found], faces[found] = column, ids[image, row, column]
                found += ids[image, row, column] >= 0
            for i in range(found):
                a, b, c = _corners(triangles, faces[i])
                wa, wb, wc = _weights(p, a, b, c, columns[i], row, perspective)
                weights[i, 0], weights[i, 1], weights[i, 2] = wa, wb, wc
                for k in range(3):
                    place = wa * v[a, k] + wb * v[b, k] + wc * v[c, k]
                    positions[image, k, row, columns[i]] = place
                depth[image, 0, row, columns[i]] = -place
            for i in range(found):
                a, b, c = _corners(triangles, faces[i])
                wa, wb, wc = weights[i]
                x = wa * n[a, 0] + wb * n[b, 0] + wc * n[c, 0]
                y = wa * n[a, 1] + wb * n[b, 1] + wc * n[c, 1]
                z = wa * n[a, 2] + wb * n[b, 2] + wc * n[c, 2]
                scale = np.float32(1) / np.sqrt(max(x * x + y * y + z * z, _SMALL))
                normals[image, 0, row, columns[i]] = x * scale
                normals[image, 1, row, columns[i]] = y * scale
                normals[image, 2, row, columns[i]] = z * scale
            for i in range(found):
                a, b, c = _corners(triangles, faces[i])
                wa, wb, wc = weights[i]
                occlusion[image, 0, row, columns[i]] = (
                    wa * still[a, 0] + wb * still[b, 0] + wc * still[c, 0]
                )
                for k in range(3):
                    mean[image, k, row, columns[i]] = (
                        wa * still[a, k + 1] + wb * still[b, k + 1] + wc * still[c, k + 1]
                    )
            for i in range(found):
                a, b, c = _corners(uv_triangles, faces[i])
                wa, wb, wc = weights[i]
                for k in range(2):
                    texture[image, k, row, columns[i]] = (
                        wa * uv[a, k] + wb * uv[b, k] + wc * uv[c, k]
                    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _corners(triangles, face):
    # Unsigned, so that nothing asks whether they count from the end.
    return (
        np.uint64(triangles[face, 0]),
        np.uint64(triangles[face, 1]),
        np.uint64(triangles[face, 2]),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _weights(p, a, b, c, x, y, perspective):
    """Barycentric weights of a pixel, as `visage.faces.compiled.weigh` has them."""
    ax, ay = np.float64(p[a, 0]) - x, np.float64(p[a, 1]) - y
    bx, by = np.float64(p[b, 0]) - x, np.float64(p[b, 1]) - y
    cx, cy = np.float64(p[c, 0]) - x, np.float64(p[c, 1]) - y
    u, v, w = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
    if perspective:
        u, v, w = u / p[a, 2], v / p[b, 2], w / p[c, 2]
    total = u + v + w
    scale = 1 / total if total != 0 else 0.0
    return np.float32(u * scale), np.float32(v * scale), np.float32(w * scale)


@njit(cache=True, nogil=True, error_model="numpy")
def sample(uv, covered, maps, drawn):
    """Look textures up between their texels, where a pixel is covered.

    As `torch.nn.functional.grid_sample` does at 2 uv - 1, bilinear, with borders that go on and
    `align_corners=False`.

    Args:
        uv: (B, 2, H, W).
        covered: (B, H, W) int32, negative where nothing is.
        maps: textures (B, C, R, R), all of one R.
        drawn: as many pictures (B, C, H, W), zeros; overwritten.
    """
    count, height, width = covered.shape
    size = maps[0].shape[2]
    last = np.float32(size - 1)
    for image in range(count):
        for row in range(height):
            for column in range(width):
                if covered[image, row, column] < 0:
                    continue
                x = uv[image, 0, row, column] * size - np.float32(0.5)
                y = uv[image, 1, row, column] * size - np.float32(0.5)
                # Not-a-number, for which no comparison holds, must not become a place.
                x = (x if x < last else last) if x > 0 else np.float32(0)
                y = (y if y < last else last) if y > 0 else np.float32(0)
                i, j = min(int(x), size - 2), min(int(y), size - 2)
                fx, fy = x - np.float32(i), y - np.float32(j)
                for index in range(len(maps)):
                    texture, picture = maps[index], drawn[index]
                    for channel in range(texture.shape[1]):
                        t = texture[image, channel]
                        upper = t[j, i] + fx * (t[j, i + 1] - t[j, i])
                        lower = t[j + 1, i] + fx * (t[j + 1, i + 1] - t[j + 1, i])
                        picture[image, channel, row, column] = upper + fy * (lower - upper)
