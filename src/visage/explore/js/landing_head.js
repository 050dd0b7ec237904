// The landing page's head: a small mesh, made smooth in the page, and its pictures.
import { headArrays, packedTiles } from "./head_arrays.js";
import { tileOf } from "./texture_tiles.js";

const BULGE = 0.75; // of the way to the tangent planes: 1 is lumpy, 0 keeps the facets

// Every triangle in four. New points are moved towards the tangent planes at their edge's ends (Boubekeur and Alexa, 2008).
export function smoother({ positions, normals, places }, triangles) {
  const [points, directions, spots] = [[...positions], [...normals], [...places]];
  const known = new Map();
  const at = (list, i, width) => Array.from({ length: width }, (_, c) => list[width * i + c]);
  function middle(a, b) {
    const key = a < b ? a * 65536 + b : b * 65536 + a;
    if (!known.has(key)) {
      const [pa, pb, na, nb] = [at(points, a, 3), at(points, b, 3), at(directions, a, 3), at(directions, b, 3)];
      const m = pa.map((v, c) => (v + pb[c]) / 2);
      const onto = (p, n) => {
        const far = m.reduce((sum, v, c) => sum + (v - p[c]) * n[c], 0);
        return m.map((v, c) => v - far * n[c]);
      };
      const [qa, qb] = [onto(pa, na), onto(pb, nb)];
      const n = na.map((v, c) => v + nb[c]);
      const length = Math.hypot(...n) || 1;
      known.set(key, points.length / 3);
      points.push(...m.map((v, c) => (1 - BULGE) * v + (BULGE * (qa[c] + qb[c])) / 2));
      directions.push(...n.map((v) => v / length));
      spots.push(...at(spots, a, 2).map((v, c) => (v + spots[2 * b + c]) / 2));
    }
    return known.get(key);
  }
  const finer = new Uint32Array(4 * triangles.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = triangles.slice(t, t + 3);
    const [ab, bc, ca] = [middle(a, b), middle(b, c), middle(c, a)];
    finer.set([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 4 * t);
  }
  return { head: { positions: Float32Array.from(points), normals: Float32Array.from(directions), places: Float32Array.from(spots) }, triangles: finer };
}

// What `makeHeadView` takes: { heads, triangles }. `sheet` holds made, seen and visible side by side, in grey.
export function landingHead({ file, told, sheet, colour, atlas }) {
  const [high, wide] = told.tile;
  const [made, seen, visible] = [0, 1, 2].map((column) => tileOf(sheet, 0, column, told.tile));
  const { head, triangles } = smoother(headArrays(file, 0), file.arrays.triangles);
  const tiles = { width: wide, height: high, data: packedTiles([made, seen, made], visible) };
  return { heads: [{ ...head, tiles, low: colour, atlas }], triangles };
}
