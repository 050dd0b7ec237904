// The morphable model in the page: S = μ + A_id·α + A_exp·β, as visage.faces.shape has it, from the
// file that visage.explore.face_basis writes. No drawing here: node tests this module as it is.

const FACE_TYPES = { int8: Int8Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };

// Inflates and reads the file: { header, arrays by name }.
export async function unpackFace(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new Uint32Array(buffer, 0, 1)[0];
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, type, shape, offset } of header.arrays) {
    const count = shape.reduce((product, n) => product * n, 1);
    const start = 4 + length + offset;
    const row = shape[shape.length - 1];
    arrays[name] = type === "int16" ? unfold(new Uint8Array(buffer, start, 2 * count), count, row) : new FACE_TYPES[type](buffer, start, count);
  }
  return { header, arrays };
}

// Undoes the differences along rows, the zigzag and the parting of low and high bytes.
function unfold(bytes, count, row) {
  const levels = new Int16Array(count);
  for (let i = 0; i < count; i++) {
    const folded = bytes[i] | (bytes[count + i] << 8);
    const step = (folded >> 1) ^ -(folded & 1);
    levels[i] = i % row ? levels[i - 1] + step : step;
  }
  return levels;
}

// The model with its arrays laid out for blending: vertices are x, y, z one after another, in mm.
export async function openFace(bytes) {
  const { header, arrays } = await unpackFace(bytes);
  const { half, mirror, signs, mean: halfMean, identity: halfIdentity } = arrays;
  const count = 1 + arrays.corner_vertices.reduce((most, v) => Math.max(most, v), 0);
  const modes = signs.length;
  const mean = new Float32Array(3 * count);
  const identity = new Int16Array(modes * 3 * count);
  const n = half.length;
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < 3; c++) {
      const flip = c === 0 ? -1 : 1;
      mean[3 * mirror[i] + c] = 10 * header.step * halfMean[c * n + i] * flip;
      mean[3 * half[i] + c] = 10 * header.step * halfMean[c * n + i];
      for (let k = 0; k < modes; k++) {
        const level = halfIdentity[(3 * k + c) * n + i];
        identity[3 * (k * count + mirror[i]) + c] = flip * signs[k] * level;
        identity[3 * (k * count + half[i]) + c] = level;
      }
    }
  }
  const corners = arrays.triangles.map((corner) => arrays.corner_vertices[corner]);
  const [first, last] = header.parts.skin;
  const skin = [...new Set(corners.subarray(first, last))];
  return { ...header, ...arrays, count, modes, mean, modeLevels: identity, vertexTriangles: corners, skin };
}

// A head whose coefficients change: positions and normals follow on `update`, only as far as needed.
export function makeHead(face) {
  const size = 3 * face.count;
  const head = { identity: new Float32Array(face.modes), expression: new Float32Array(face.actions.length), positions: new Float32Array(face.mean), normals: new Float32Array(size) };
  const shape = new Float32Array(face.mean); // without the expression
  const shown = new Float32Array(face.modes);
  let fresh = false;
  head.update = () => {
    let moved = 0;
    for (let k = 0; k < face.modes; k++) if (head.identity[k] !== shown[k]) moved += 1;
    if (moved) {
      // Errors of many small steps would add up: what changes a lot is summed anew.
      shape.set(face.mean);
      for (let k = 0; k < face.modes; k++) {
        shown[k] = head.identity[k];
        addMode(shape, face.modeLevels, k * size, size, head.identity[k] * face.step);
      }
    }
    head.positions.set(shape);
    addActions(face, head.expression, head.positions);
    vertexNormals(head.positions, face.vertexTriangles, head.normals);
    fresh = true;
    return fresh;
  };
  head.update();
  return head;
}

function addMode(target, levels, start, size, factor) {
  if (factor === 0) return;
  for (let i = 0; i < size; i++) target[i] += factor * levels[start + i];
}

function addActions(face, expression, positions) {
  const total = face.action_vertices.length;
  for (let a = 0; a < expression.length; a++) {
    const factor = expression[a] * face.step;
    if (factor === 0) continue;
    for (let i = face.action_starts[a]; i < face.action_starts[a + 1]; i++) {
      const at = 3 * face.action_vertices[i];
      for (let c = 0; c < 3; c++) positions[at + c] += factor * face.action_offsets[c * total + i];
    }
  }
}

// Unit normals, weighted by area; zero where a vertex has no triangle.
export function vertexNormals(positions, triangles, normals) {
  normals.fill(0);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
    const ux = positions[b] - positions[a], uy = positions[b + 1] - positions[a + 1], uz = positions[b + 2] - positions[a + 2];
    const vx = positions[c] - positions[a], vy = positions[c + 1] - positions[a + 1], vz = positions[c + 2] - positions[a + 2];
    const nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
    normals[a] += nx; normals[a + 1] += ny; normals[a + 2] += nz;
    normals[b] += nx; normals[b + 1] += ny; normals[b + 2] += nz;
    normals[c] += nx; normals[c + 1] += ny; normals[c + 2] += nz;
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    normals[i] /= length; normals[i + 1] /= length; normals[i + 2] /= length;
  }
  return normals;
}

// Every label of an identity, as MorphableModel.read gives them.
export function readLabels(face, identity) {
  const width = face.modes + 1;
  return Object.fromEntries(face.labels.map((name, l) => {
    let sum = face.readings[l * width + face.modes];
    for (let k = 0; k < face.modes; k++) sum += face.readings[l * width + k] * identity[k];
    return [name, sum];
  }));
}

// Moves an identity along a label's direction until the label reads `value`.
export function setLabel(face, identity, name, value) {
  const l = face.labels.indexOf(name);
  const [reading, direction] = [l * (face.modes + 1), l * face.modes];
  let gain = 0;
  for (let k = 0; k < face.modes; k++) gain += face.readings[reading + k] * face.directions[direction + k];
  const factor = (value - readLabels(face, identity)[name]) / gain;
  for (let k = 0; k < face.modes; k++) identity[k] += factor * face.directions[direction + k];
  return identity;
}

// Whether the identity could be one of the people that the model was made from.
export function isPlausible(face, identity) {
  const labels = readLabels(face, identity);
  return identity.every((a) => Math.abs(a) <= 3.5) && face.labels.every((name, l) => labels[name] >= face.reading_limits[2 * l] && labels[name] <= face.reading_limits[2 * l + 1]);
}

// Root mean square distance in mm between a head's skin and the mean head's, as they stand.
export function distanceFromMean(face, positions) {
  let [sum, count] = [0, 0];
  for (const v of face.skin) {
    for (let c = 0; c < 3; c++) sum += (positions[3 * v + c] - face.mean[3 * v + c]) ** 2;
    count += 1;
  }
  return Math.sqrt(sum / count);
}

// R = R_z(roll) R_y(yaw) R_x(pitch), row by row, from (pitch, yaw, roll) in radians.
export function rotationMatrix([pitch, yaw, roll]) {
  const [sp, sy, sr] = [pitch, yaw, roll].map(Math.sin);
  const [cp, cy, cr] = [pitch, yaw, roll].map(Math.cos);
  return [cy * cr, sp * sy * cr - cp * sr, cp * sy * cr + sp * sr, cy * sr, sp * sy * sr + cp * cr, cp * sy * sr - sp * cr, -sy, sp * cy, cp * cy];
}

// Where vertex v falls in a picture of size × size, in pixels, and its depth in mm (camera.Perspective.project).
export function projectVertex(face, positions, v, rotation, size, zoom = 1) {
  const [x, y, z] = positions.subarray(3 * v, 3 * v + 3);
  const [vx, vy, vz] = [0, 3, 6].map((r) => rotation[r] * x + rotation[r + 1] * y + rotation[r + 2] * z);
  const depth = face.view.distance - vz;
  const scale = (zoom * face.view.focal * size) / depth;
  const middle = (size - 1) / 2;
  return [middle + scale * vx, middle - scale * (vy + face.view.lift), depth];
}

// The 68 vertices of the landmarks at a yaw; those of the contour slide along the jaw.
export function landmarkVertices(face, yaw) {
  let nearest = 0;
  face.contour_yaws.forEach((angle, i) => { if (Math.abs(angle - yaw) < Math.abs(face.contour_yaws[nearest] - yaw)) nearest = i; });
  return [...face.contour.subarray(17 * nearest, 17 * nearest + 17), ...face.landmarks.subarray(17)];
}
