// Arithmetic on embeddings: what the reader asks the network to paint.

export const distance = (a, b) => Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));

// 128 normal deviates that depend on the seed only.
export function normals(count, seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

// One bit a number: the sign about the mean embedding, times the mean size, which is the nearest such vector.
export function oneBit(embedding, centre) {
  const size = embedding.reduce((sum, v, i) => sum + Math.abs(v - centre[i]), 0) / embedding.length;
  return embedding.map((v, i) => centre[i] + (v < centre[i] ? -size : size));
}

// From person A to person B, then away from the mean, then noise, then one bit: the order of the controls.
export function asked({ a, b, walk, scale, noise, bits }, { centre, spread, deviates }) {
  const mixed = Float32Array.from(a, (v, i) => v + walk * (b[i] - v));
  const scaled = mixed.map((v, i) => centre[i] + scale * (v - centre[i]) + noise * spread * deviates[i]);
  return bits ? oneBit(scaled, centre) : scaled;
}
