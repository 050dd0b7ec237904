// Exposure and white balance from a face: visage.normalization.colour_correction, against which this is tested.
// Pictures are planar floats as in image.js; colours are [Y, Cr, Cb] or [R, G, B] in [0, 1].

const [CR, CB] = [0.5 / 0.701, 0.5 / 0.886];
const decodeLevel = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const encodeLevel = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
const within = (v) => Math.min(1, Math.max(0, v));

export function toYcrcb([r, g, b]) {
  const y = 0.299 * r + 0.587 * g + 0.114 * b;
  return [y, CR * (r - y) + 0.5, CB * (b - y) + 0.5];
}

export function fromYcrcb([y, cr, cb]) {
  const [r, b] = [y + (cr - 0.5) / CR, y + (cb - 0.5) / CB];
  return [r, (y - 0.299 * r - 0.114 * b) / 0.587, b];
}

// Eq. 13 of one value.
export function piecewiseShift(p, mean, target) {
  if ((p <= mean && mean > 0) || mean >= 1) return (p * target) / mean;
  return 1 - ((1 - p) * (1 - target)) / (1 - mean);
}

const pixelwise = ({ width, height, data }, change) => {
  const n = width * height;
  const out = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const colour = change([data[i], data[n + i], data[2 * n + i]]);
    for (let c = 0; c < 3; c++) out[c * n + i] = within(colour[c]);
  }
  return { width, height, data: out };
};

// Mean Y, Cr, Cb over the central box of a square picture.
export function faceColour({ width, data }, box = 100 / 224) {
  const margin = Math.floor((width - Math.max(1, Math.round(box * width))) / 2);
  const [n, side] = [width * width, width - 2 * margin];
  const mean = [0, 1, 2].map((c) => {
    let sum = 0;
    for (let y = margin; y < width - margin; y++) for (let x = margin; x < width - margin; x++) sum += data[c * n + y * width + x];
    return sum / (side * side);
  });
  return toYcrcb(mean);
}

export function correctColours(image, mean, target) {
  return pixelwise(image, (colour) => fromYcrcb(toYcrcb(colour).map((v, c) => piecewiseShift(v, mean[c], target[c]))));
}

// Gains on linear light, clipped at white.
export function castColours(image, gains) {
  return pixelwise(image, (colour) => colour.map((v, c) => encodeLevel(Math.min(1, gains[c] * decodeLevel(v)))));
}

export function greyWorld(image) {
  const n = image.width * image.height;
  const light = [0, 1, 2].map((c) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += decodeLevel(image.data[c * n + i]);
    return Math.max(1e-4, sum / n);
  });
  const strength = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
  return castColours(image, light.map((v) => strength / v));
}

// The lamp's gains at so many mireds: a table from `low` to `high`, linear between.
export function lampGains({ range: [low, high], gains }, mireds) {
  const place = Math.min(gains.length - 1, Math.max(0, ((mireds - low) / (high - low)) * (gains.length - 1)));
  const below = Math.min(gains.length - 2, Math.floor(place));
  return gains[below].map((v, c) => v + (place - below) * (gains[below + 1][c] - v));
}

// Mean angle (degrees) and difference (stops) between linear colours over the central box.
export function colourErrors(image, truth, box = 100 / 224) {
  const { width } = image;
  const margin = Math.floor((width - Math.max(1, Math.round(box * width))) / 2);
  const n = width * width;
  let [angle, stops, count] = [0, 0, 0];
  for (let y = margin; y < width - margin; y++) {
    for (let x = margin; x < width - margin; x++) {
      const i = y * width + x;
      const [a, b] = [image, truth].map(({ data }) => [0, 1, 2].map((c) => decodeLevel(data[c * n + i])));
      const [la, lb] = [a, b].map((v) => Math.max(1e-3, Math.hypot(...v)));
      const chord = Math.hypot(...a.map((v, c) => v / la - b[c] / lb));
      const [ya, yb] = [a, b].map(([r, g, bl]) => Math.max(1e-3, 0.2126 * r + 0.7152 * g + 0.0722 * bl));
      angle += 2 * Math.asin(Math.min(1, chord / 2));
      stops += Math.abs(Math.log2(ya / yb));
      count += 1;
    }
  }
  return { angle: (angle / count) * (180 / Math.PI), stops: stops / count };
}
