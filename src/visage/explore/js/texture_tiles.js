// Grey tiles of a sheet, and the colours that they share. A change of luminance adds the same to red, green and blue.
import { html } from "./plots.js";

export const LUMINANCE = [0.299, 0.587, 0.114];

// The pixels of a data URL: { width, height, data }, RGBA bytes.
export async function pictureOf(url, width = null, height = null) {
  const picture = await createImageBitmap(await (await fetch(url)).blob(), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const canvas = html("canvas", { width: width ?? picture.width, height: height ?? picture.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// One tile of a sheet: luminance in bytes.
export function tileOf({ width, data }, row, column, [high, wide]) {
  const found = new Float32Array(high * wide);
  for (let y = 0; y < high; y++) {
    const start = 4 * ((row * high + y) * width + column * wide);
    for (let x = 0; x < wide; x++) found[y * wide + x] = data[start + 4 * x];
  }
  return found;
}

// The mean of tiles by shares: cells are [tile, share].
export function blendOf(cells) {
  const sum = new Float32Array(cells[0][0].length);
  for (const [tile, share] of cells) for (let i = 0; i < sum.length; i++) sum[i] += share * tile[i];
  return sum;
}

// Part `index` of a strip of `count` coloured pictures side by side, enlarged to the tile; RGB in bytes, three a texel.
export function colourOf({ width, height, data }, index, count, [high, wide]) {
  const part = width / count;
  const found = new Float32Array(3 * high * wide);
  const place = (at, of, size) => {
    const v = Math.min(size - 1, Math.max(0, ((at + 0.5) * size) / of - 0.5));
    const low = Math.min(size - 2, Math.floor(v));
    return [low, v - low];
  };
  for (let y = 0; y < high; y++) {
    const [top, fy] = place(y, high, height);
    for (let x = 0; x < wide; x++) {
      const [left, fx] = place(x, wide, part);
      const a = 4 * (top * width + index * part + left);
      const b = a + 4 * width;
      for (let c = 0; c < 3; c++) {
        const upper = data[a + c] + fx * (data[a + 4 + c] - data[a + c]);
        const lower = data[b + c] + fx * (data[b + 4 + c] - data[b + c]);
        found[3 * (y * wide + x) + c] = upper + fy * (lower - upper);
      }
    }
  }
  return found;
}

export function luminanceOf(colours) {
  return Float32Array.from({ length: colours.length / 3 }, (_, i) => LUMINANCE.reduce((sum, w, c) => sum + w * colours[3 * i + c], 0));
}

// RGBA bytes of a luminance in the colours' I and Q; `gain` exaggerates how it differs from the colours' own.
export function colouredBytes(luminance, colours, own = luminanceOf(colours), gain = 1) {
  const out = new Uint8ClampedArray(4 * luminance.length);
  for (let i = 0; i < luminance.length; i++) {
    const more = gain * (luminance[i] - own[i]);
    for (let c = 0; c < 3; c++) out[4 * i + c] = colours[3 * i + c] + more;
    out[4 * i + 3] = 255;
  }
  return out;
}
