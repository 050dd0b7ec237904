// Reads a binary glTF (Khronos, glTF 2.0) with one mesh, as `visage.geometry.export` writes it.

const SIZES = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };
const TYPES = { 5121: Uint8Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array };

// ArrayBuffer to { points, normals, colours, triangles }: lengths in mm, colours sRGB in [0, 1] or null.
export function readGlb(buffer) {
  const head = new DataView(buffer);
  if (buffer.byteLength < 20 || head.getUint32(0, true) !== 0x46546c67) throw new Error("This is no binary glTF file.");
  let [json, binary] = [null, null];
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const [length, kind] = [head.getUint32(at, true), head.getUint32(at + 4, true)];
    if (kind === 0x4e4f534a) json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, at + 8, length)));
    if (kind === 0x004e4942) binary = buffer.slice(at + 8, at + 8 + length);
    at += 8 + length;
  }
  const primitive = json?.meshes?.[0]?.primitives?.[0];
  if (!primitive || !binary || (primitive.mode ?? 4) !== 4) throw new Error("The file holds no triangles.");
  const read = (place) => {
    const one = json.accessors[place];
    const view = json.bufferViews[one.bufferView];
    const [Kind, width] = [TYPES[one.componentType], SIZES[one.type]];
    const start = (view.byteOffset ?? 0) + (one.byteOffset ?? 0);
    if (view.byteStride && view.byteStride !== width * Kind.BYTES_PER_ELEMENT) throw new Error("Interleaved files are not read here.");
    return { width, values: new Kind(binary.slice(start, start + one.count * width * Kind.BYTES_PER_ELEMENT)) };
  };
  const { POSITION, NORMAL, COLOR_0 } = primitive.attributes;
  const points = Float32Array.from(read(POSITION).values, (v) => 1000 * v); // glTF's unit is the metre
  const triangles = Uint32Array.from(primitive.indices === undefined ? points.slice(0, points.length / 3).keys() : read(primitive.indices).values);
  const colours = COLOR_0 === undefined ? null : plain(read(COLOR_0));
  return { points, triangles, colours, normals: NORMAL === undefined ? meshNormals(points, triangles) : Float32Array.from(read(NORMAL).values) };
}

function plain({ width, values }) {
  const most = values instanceof Float32Array ? 1 : values instanceof Uint8Array ? 255 : 65535;
  return Float32Array.from({ length: (3 * values.length) / width }, (_, i) => values[width * Math.floor(i / 3) + (i % 3)] / most);
}

// Sums of the triangles' cross products, made unit vectors.
export function meshNormals(points, triangles) {
  const normals = new Float32Array(points.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => points.subarray(3 * triangles[t + k], 3 * triangles[t + k] + 3));
    const [u, v] = [b.map((x, i) => x - a[i]), c.map((x, i) => x - a[i])];
    const cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (let k = 0; k < 3; k++) for (let i = 0; i < 3; i++) normals[3 * triangles[t + k] + i] += cross[i];
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    for (let k = 0; k < 3; k++) normals[i + k] /= length;
  }
  return normals;
}
