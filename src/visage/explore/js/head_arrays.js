// What a textured head is drawn from: vertices out of a packed file, and pictures cut out of sheets.
import { vertexNormals } from "./face_model.js";

// Vertices of one head out of the file: corners share positions where texture has a seam, and so share normals.
export function headArrays({ header, arrays }, person) {
  const count = arrays.corner_vertices.reduce((most, v) => Math.max(most, v), 0) + 1;
  const positions = new Float32Array(3 * count);
  for (let v = 0; v < count; v++) for (let c = 0; c < 3; c++) positions[3 * v + c] = header.step * arrays.positions[(3 * person + c) * count + v];
  const corners = arrays.triangles.map((corner) => arrays.corner_vertices[corner]);
  const normals = vertexNormals(positions, corners, new Float32Array(3 * count));
  const spread = (values) => Float32Array.from({ length: 3 * arrays.corner_vertices.length }, (_, i) => values[3 * arrays.corner_vertices[Math.floor(i / 3)] + (i % 3)]);
  return { positions: spread(positions), normals: spread(normals), places: Float32Array.from(arrays.places, (v) => v / 65535) };
}

// Made, seen, truth and visible as the channels of one picture.
export function packedTiles(tiles, visible) {
  const data = new Uint8ClampedArray(4 * visible.length);
  for (let i = 0; i < visible.length; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = tiles[c][i];
    data[4 * i + 3] = visible[i];
  }
  return data;
}

// One of `count` pictures side by side, RGBA.
export function partOf({ width, height, data }, index, count) {
  const wide = width / count;
  const found = new Uint8ClampedArray(4 * wide * height);
  for (let y = 0; y < height; y++) found.set(data.subarray(4 * (y * width + index * wide), 4 * (y * width + (index + 1) * wide)), 4 * y * wide);
  return found;
}
