// Images as planar floats: {width, height, data} with data = [R plane, G plane, B plane] in [0, 1], sRGB-encoded.
// The same operations as visage.photos.corruption, tested against it.
import { similarityAbout, invertSimilarity, CHIP_SIZE } from "./geometry.js";

export function fromImageData({ width, height, data }) {
  const n = width * height;
  const out = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) out[c * n + i] = data[4 * i + c] / 255;
  return { width, height, data: out };
}

export function toImageData(image) {
  const n = image.width * image.height;
  const out = new ImageData(image.width, image.height);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < 3; c++) out.data[4 * i + c] = Math.round(255 * Math.min(1, Math.max(0, image.data[c * n + i])));
    out.data[4 * i + 3] = 255;
  }
  return out;
}

// Samples `image` where `toSource` sends each pixel of a size×size picture; bilinear, the border repeated.
export function sample(image, toSource, size) {
  const { width, height, data } = image;
  const n = width * height;
  const out = new Float32Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const sx = Math.min(width - 1, Math.max(0, toSource.a * x - toSource.b * y + toSource.tx));
      const sy = Math.min(height - 1, Math.max(0, toSource.b * x + toSource.a * y + toSource.ty));
      const [x0, y0] = [Math.min(width - 2, Math.floor(sx)), Math.min(height - 2, Math.floor(sy))];
      const [fx, fy] = [sx - x0, sy - y0];
      const k = y0 * width + x0;
      for (let c = 0; c < 3; c++) {
        const p = c * n + k;
        const top = data[p] * (1 - fx) + data[p + 1] * fx;
        const bottom = data[p + width] * (1 - fx) + data[p + width + 1] * fx;
        out[c * size * size + y * size + x] = top * (1 - fy) + bottom * fy;
      }
    }
  }
  return { width: size, height: size, data: out };
}

// Ever smaller copies of an image, each the mean of two by two pixels, down to `smallest` pixels on the short side.
export function pyramid(image, smallest = 64) {
  const levels = [image];
  for (let last = image; Math.min(last.width, last.height) >= 2 * smallest; levels.push(last)) {
    const [width, height] = [last.width >> 1, last.height >> 1];
    const data = new Float32Array(3 * width * height);
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const p = c * last.width * last.height + 2 * y * last.width + 2 * x;
          const sum = last.data[p] + last.data[p + 1] + last.data[p + last.width] + last.data[p + last.width + 1];
          data[(c * height + y) * width + x] = sum / 4;
        }
      }
    }
    last = { width, height, data };
  }
  return levels;
}

// As `sample`, from the level of a pyramid at which neighbouring samples are one to two pixels apart: no aliasing.
export function samplePyramid(levels, toSource, size) {
  const scale = Math.hypot(toSource.a, toSource.b);
  const level = Math.max(0, Math.min(levels.length - 1, Math.floor(Math.log2(scale))));
  const factor = 2 ** level; // pixel x of level 0 is (x + 0.5) / factor - 0.5 here
  const { a, b, tx, ty } = toSource;
  const there = { a: a / factor, b: b / factor, tx: (tx + 0.5) / factor - 0.5, ty: (ty + 0.5) / factor - 0.5 };
  return sample(levels[level], there, size);
}

// Gaussian blur, sigma in pixels, the border repeated, taps out to four sigma.
export function blur(image, sigma) {
  if (!(sigma > 0)) return image;
  const radius = Math.ceil(4 * sigma);
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)));
  const total = taps.reduce((s, t) => s + t, 0);
  const { width, height } = image;
  const pass = (source, horizontal) => {
    const out = new Float32Array(source.length);
    for (let c = 0; c < 3; c++) {
      const base = c * width * height;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          let sum = 0;
          for (let k = -radius; k <= radius; k++) {
            const xx = horizontal ? Math.min(width - 1, Math.max(0, x + k)) : x;
            const yy = horizontal ? y : Math.min(height - 1, Math.max(0, y + k));
            sum += taps[k + radius] * source[base + yy * width + xx];
          }
          out[base + y * width + x] = sum / total;
        }
      }
    }
    return out;
  };
  return { width, height, data: pass(pass(image.data, true), false) };
}

const toLinear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const toEncoded = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);

// Exposure in stops: light is multiplied by 2^stops before it is encoded, and clips at white.
export function expose(image, stops) {
  if (stops === 0) return image;
  const gain = 2 ** stops;
  return { ...image, data: image.data.map((v) => toEncoded(Math.min(1, gain * toLinear(v)))) };
}

// Normal deviates from a counter, so that the same seed gives the same grain on every page.
export function addNoise(image, sigma, seed = 1) {
  if (!(sigma > 0)) return image;
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const data = image.data.map((v) => {
    const normal = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return Math.min(1, Math.max(0, v + sigma * normal));
  });
  return { ...image, data };
}

// Signed distance in pixels to each occluder at full size, negative inside, in the 150-pixel chip.
const ellipse = (x, y, cx, cy, rx, ry) => (Math.hypot((x - cx) / rx, (y - cy) / ry) - 1) * Math.min(rx, ry);
const OCCLUDERS = {
  sunglasses: {
    colour: [0.05, 0.05, 0.06],
    distance: (x, y, amount) =>
      Math.min(
        ellipse(x, y, 47.7, 49, 25 * amount, 17 * amount),
        ellipse(x, y, 100.3, 49, 25 * amount, 17 * amount),
        Math.max(Math.abs(x - 74) - 28, Math.abs(y - 45) - 3 * amount),
      ),
  },
  mask: {
    colour: [0.62, 0.74, 0.82],
    distance: (x, y, amount) => 150 - 78 * amount + 0.004 * (x - 74) ** 2 - y,
  },
  patch: {
    colour: [0.5, 0.5, 0.5],
    distance: (x, y, amount) => Math.max(Math.abs(x - 74), Math.abs(y - 76)) - 60 * amount,
  },
};

export function occlude(image, kind, amount) {
  if (!(kind in OCCLUDERS) || !(amount > 0)) return image;
  const { colour, distance } = OCCLUDERS[kind];
  const n = image.width * image.height;
  const data = Float32Array.from(image.data);
  for (let i = 0; i < n; i++) {
    const cover = Math.min(1, Math.max(0, 0.5 - distance(i % image.width, Math.floor(i / image.width), amount)));
    for (let c = 0; c < 3; c++) data[c * n + i] += cover * (colour[c] - data[c * n + i]);
  }
  return { ...image, data };
}

// From a face with its surroundings (the chip's centre is the picture's centre) to the chip after the corruption.
// Order: geometry, occluder, light, blur, grain: as a scene, its lamp, its lens and its sensor would act.
export function corrupt(source, s) {
  const middle = (CHIP_SIZE - 1) / 2;
  const centre = [(source.width - 1) / 2, (source.height - 1) / 2];
  const place = similarityAbout(s.zoom, (s.rotation * Math.PI) / 180, centre, [middle + s.shift_x, middle + s.shift_y]);
  let chip = sample(source, invertSimilarity(place), CHIP_SIZE);
  if (s.mirror) chip = mirror(chip);
  return addNoise(blur(expose(occlude(chip, s.occluder, s.cover), s.exposure), s.blur), s.noise);
}

export function mirror(image) {
  const { width, height } = image;
  const data = new Float32Array(image.data.length);
  for (let r = 0; r < 3 * height; r++) for (let x = 0; x < width; x++) data[r * width + x] = image.data[r * width + width - 1 - x];
  return { width, height, data };
}
