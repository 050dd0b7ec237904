// Plane geometry of a face chip. Points are [x, y] in pixels; the centre of the top-left pixel is (0, 0).

// dlib's five-point template in its 150-pixel chip with padding 0.25: outer and inner corner of the
// eye at the image's right, outer and inner corner of the eye at its left, base of the nose.
export const CHIP_SIZE = 150;
export const CHIP_FIVE_POINTS = [
  [0.8595674595992, 0.2134981538014],
  [0.6460604764104, 0.2289674387677],
  [0.1205750620789, 0.2137274526848],
  [0.3340850613712, 0.2290642403242],
  [0.4901123135679, 0.6277975316475],
].map(([x, y]) => [((0.25 + x) / 1.5) * CHIP_SIZE - 0.5, ((0.25 + y) / 1.5) * CHIP_SIZE - 0.5]);

// Least-squares similarity q ≈ a·p + b with complex a (scale and rotation) and b (shift).
export function fitSimilarity(from, to) {
  const mean = (points) => points.reduce((m, p) => [m[0] + p[0] / points.length, m[1] + p[1] / points.length], [0, 0]);
  const [mf, mt] = [mean(from), mean(to)];
  let [re, im, norm] = [0, 0, 0];
  from.forEach((p, i) => {
    const [x, y] = [p[0] - mf[0], p[1] - mf[1]];
    const [u, v] = [to[i][0] - mt[0], to[i][1] - mt[1]];
    re += x * u + y * v;
    im += x * v - y * u;
    norm += x * x + y * y;
  });
  if (!(norm > 1e-12)) throw new Error("The points coincide: no similarity can be fitted.");
  const [a, b] = [re / norm, im / norm];
  return { a, b, tx: mt[0] - (a * mf[0] - b * mf[1]), ty: mt[1] - (b * mf[0] + a * mf[1]) };
}

export function applySimilarity(t, [x, y]) {
  return [t.a * x - t.b * y + t.tx, t.b * x + t.a * y + t.ty];
}

export function invertSimilarity(t) {
  const n = t.a * t.a + t.b * t.b;
  const [a, b] = [t.a / n, -t.b / n];
  return { a, b, tx: -(a * t.tx - b * t.ty), ty: -(b * t.tx + a * t.ty) };
}

// The similarity of size `scale`, turn `angle` (radians, clockwise on the screen), that takes `from` to `to`.
export function similarityAbout(scale, angle, from, to) {
  const [a, b] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  return { a, b, tx: to[0] - (a * from[0] - b * from[1]), ty: to[1] - (b * from[0] + a * from[1]) };
}
