// Writes a binary glTF (Khronos, glTF 2.0) of one textured mesh: what `readGlb` and every viewer read.

const FLOAT = 5126, UINT32 = 5125, VERTICES = 34962, INDICES = 34963;

const padded = (length) => 4 * Math.ceil(length / 4);

// positions in mm, normals, places (u right, v down) and triangles as typed arrays; picture: { bytes, type }, say image/jpeg.
export function writeGlb({ positions, normals, places, triangles, picture, roughness = 0.6 }) {
  const metres = Float32Array.from(positions, (v) => v / 1000); // glTF's unit
  const parts = [metres, Float32Array.from(normals), Float32Array.from(places), Uint32Array.from(triangles), picture.bytes];
  const views = [];
  let total = 0;
  parts.forEach((part, i) => {
    views.push({ buffer: 0, byteOffset: total, byteLength: part.byteLength, ...(i < 3 ? { target: VERTICES } : i === 3 ? { target: INDICES } : {}) });
    total += padded(part.byteLength);
  });
  const count = positions.length / 3;
  const [min, max] = [Math.min, Math.max].map((of) => [0, 1, 2].map((k) => {
    let found = metres[k];
    for (let i = k; i < metres.length; i += 3) found = of(found, metres[i]);
    return found;
  }));
  const json = {
    asset: { version: "2.0", generator: "Visage" },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0, name: "head" }],
    meshes: [{ primitives: [{ attributes: { POSITION: 0, NORMAL: 1, TEXCOORD_0: 2 }, indices: 3, material: 0 }] }],
    materials: [{ name: "skin", pbrMetallicRoughness: { baseColorTexture: { index: 0 }, metallicFactor: 0, roughnessFactor: roughness } }],
    textures: [{ source: 0, sampler: 0 }],
    samplers: [{ magFilter: 9729, minFilter: 9987, wrapS: 33071, wrapT: 33071 }],
    images: [{ bufferView: 4, mimeType: picture.type }],
    accessors: [
      { bufferView: 0, componentType: FLOAT, count, type: "VEC3", min, max },
      { bufferView: 1, componentType: FLOAT, count, type: "VEC3" },
      { bufferView: 2, componentType: FLOAT, count, type: "VEC2" },
      { bufferView: 3, componentType: UINT32, count: triangles.length, type: "SCALAR" },
    ],
    bufferViews: views,
    buffers: [{ byteLength: total }],
  };
  const words = new TextEncoder().encode(JSON.stringify(json));
  const length = 12 + 8 + padded(words.length) + 8 + total;
  const file = new Uint8Array(length);
  const head = new DataView(file.buffer);
  [0x46546c67, 2, length, padded(words.length), 0x4e4f534a].forEach((v, i) => head.setUint32(4 * i, v, true));
  file.fill(0x20, 20, 20 + padded(words.length)); // JSON is padded with spaces
  file.set(words, 20);
  const start = 20 + padded(words.length);
  head.setUint32(start, total, true);
  head.setUint32(start + 4, 0x004e4942, true);
  parts.forEach((part, i) => file.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), start + 8 + views[i].byteOffset));
  return file;
}
