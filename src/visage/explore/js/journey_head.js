// The heads of a journey: what is drawn of each person, in each look, with the card and without.
import { headArrays, packedTiles, partOf } from "./head_arrays.js";
import { vertexNormals } from "./face_model.js";
import { tileOf, colourOf } from "./texture_tiles.js";
import { decodeSrgb } from "./relief_surface.js";
import { paintSurface } from "./surface_shading.js";

export const CLAY_OF_HEADS = [205, 199, 190]; // sRGB bytes
const ERROR_STOPS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis
const SOFT_EDGE = 0.06; // of the window's box: as `textured_head_view.js` fades
const PAINT_PITCH = 0.9; // mm a point where there is no card
const PAINT_SPAN = 250; // mm that the painted picture shows

// A colour of the scale, share in [0, 1], as three bytes.
export function errorColour(share) {
  const at = Math.max(0, Math.min(1, share)) * (ERROR_STOPS.length - 1);
  const low = Math.min(ERROR_STOPS.length - 2, Math.floor(at));
  return [0, 1, 2].map((c) => ERROR_STOPS[low][c] + (at - low) * (ERROR_STOPS[low + 1][c] - ERROR_STOPS[low][c]));
}

export const errorGradient = () => `linear-gradient(to right, ${ERROR_STOPS.map(([r, g, b]) => `rgb(${r} ${g} ${b})`).join(", ")})`;

const single = ([r, g, b], a = 255) => ({ width: 1, height: 1, data: new Uint8ClampedArray([r, g, b, a]) });

// Of each person { clay, skin, trueClay, trueSkin } (the latter two null where nobody knows): what `makeHeadView` takes as heads.
// file: of `journey_heads`; sheet: luminance, a row a person of made, relief, truth; strip: low colours, visible, true low colours.
export function journeyHeads({ told, file, sheet, strip, atlases }) {
  const count = told.people.length;
  const [high, wide] = told.tile;
  const [none, flat] = [0, 127.5].map((level) => new Float32Array(high * wide).fill(level));
  const clay = { low: single(CLAY_OF_HEADS), atlas: single(CLAY_OF_HEADS) };
  return told.people.map((person, p) => {
    const tile = (column) => tileOf(sheet, p, column, told.tile);
    const low = (k) => ({ width: strip.width / (3 * count), height: strip.height, data: partOf(strip, 3 * p + k, 3 * count) });
    const atlas = (k) => ({ width: atlases.width / (2 * count), height: atlases.height, data: partOf(atlases, 2 * p + k, 2 * count) });
    const visible = colourOf(strip, 3 * p + 1, 3 * count, told.tile).filter((_, i) => i % 3 === 0);
    const tiles = (luminance, relief) => ({ width: wide, height: high, data: packedTiles([luminance, relief, none], visible) });
    const head = (row, errors) => ({ ...headArrays(file, row), paint: errors === null ? null : paintOfErrors(file, errors, told.most_error) });
    const heads = {
      clay: { ...head(person.coarse, person.coarse_errors), ...clay, tiles: tiles(none, tile(1)) },
      skin: { ...head(person.head, person.head_errors), low: low(0), atlas: atlas(0), tiles: tiles(tile(0), tile(1)) },
      trueClay: null, trueSkin: null,
    };
    if (person.truth === null) return heads;
    const truth = head(person.truth, null);
    heads.trueClay = { ...truth, ...clay, tiles: tiles(none, flat) };
    heads.trueSkin = { ...truth, low: low(2), atlas: atlas(1), tiles: tiles(tile(2), flat) };
    return heads;
  });
}

// Colours (0 to 1) of the corners, three each, from their vertices' distances to the truth. What was not compared is grey.
export function paintOfErrors({ header, arrays }, row, most) {
  const count = arrays.errors.length / header.error_rows;
  const found = new Float32Array(3 * arrays.corner_vertices.length);
  arrays.corner_vertices.forEach((vertex, i) => {
    const level = arrays.errors[row * count + vertex];
    const colour = level === 255 ? [120, 120, 120] : errorColour((level * header.error_step) / most);
    for (let c = 0; c < 3; c++) found[3 * i + c] = colour[c] / 255;
  });
  return found;
}

const smooth = (t) => { const x = Math.max(0, Math.min(1, t)); return x * x * (3 - 2 * x); };

// Bilinear, the border repeated: bytes of a channel at u, v in [0, 1].
function texel({ width, height, data }, u, v, c) {
  const [x, y] = [Math.max(0, Math.min(width - 1, u * width - 0.5)), Math.max(0, Math.min(height - 1, v * height - 0.5))];
  const [a, b] = [Math.min(Math.floor(x), Math.max(0, width - 2)), Math.min(Math.floor(y), Math.max(0, height - 2))];
  const [right, down] = [width > 1 ? 4 : 0, height > 1 ? 4 * width : 0];
  const at = 4 * (b * width + a) + c;
  const upper = data[at] + (x - a) * (data[at + right] - data[at]);
  const lower = data[at + down] + (x - a) * (data[at + down + right] - data[at + down]);
  return upper + (y - b) * (lower - upper);
}

// The colour of a head at a place of the atlas, three bytes: the same sum as in the card's program. Clay has no tiles of its own.
export function skinAt({ low, atlas, tiles }, box, u, v, coloured = true) {
  const [x, y] = [(u - box[0]) / box[2], (v - box[1]) / box[3]];
  const edge = (t) => smooth(Math.min(t, 1 - t) / SOFT_EDGE);
  const share = edge(x) * edge(y);
  const rest = [0, 1, 2].map((c) => texel(atlas, u, v, c));
  if (share === 0) return rest;
  const base = [0, 1, 2].map((c) => texel(low, x, y, c));
  const more = coloured ? texel(tiles, x, y, 0) - (0.299 * base[0] + 0.587 * base[1] + 0.114 * base[2]) : 0;
  return rest.map((v0, c) => v0 + share * (base[c] + more - v0));
}

// The whole atlas of a head as RGBA bytes, for a file.
export function skinPicture(head, box, side) {
  const data = new Uint8ClampedArray(4 * side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) data.set([...skinAt(head, box, (x + 0.5) / side, (y + 0.5) / side), 255], 4 * (y * side + x));
  }
  return { width: side, height: side, data };
}

// Positions moved along their normals by the relief of the tiles, and the normals that follow: detail as far as vertices hold it.
export function carved({ positions, normals, places, tiles }, triangles, box, range) {
  const moved = Float32Array.from(positions);
  for (let i = 0; i < places.length / 2; i++) {
    const [x, y] = [(places[2 * i] - box[0]) / box[2], (places[2 * i + 1] - box[1]) / box[3]];
    const edge = (t) => smooth(Math.min(t, 1 - t) / SOFT_EDGE);
    const share = edge(x) * edge(y);
    if (share === 0) continue;
    const height = share * range * (texel(tiles, x, y, 1) / 255 - 0.5);
    for (let c = 0; c < 3; c++) moved[3 * i + c] += height * normals[3 * i + c];
  }
  const bent = vertexNormals(moved, triangles, new Float32Array(moved.length));
  // Corners of one vertex at a seam of the texture: each has but a part of the triangles round it, so they keep the smooth normal.
  const seen = new Map();
  const key = (i) => `${positions[3 * i]},${positions[3 * i + 1]},${positions[3 * i + 2]}`;
  for (let i = 0; i < places.length / 2; i++) seen.set(key(i), (seen.get(key(i)) ?? 0) + 1);
  for (let i = 0; i < places.length / 2; i++) if (seen.get(key(i)) > 1) bent.set(normals.subarray(3 * i, 3 * i + 3), 3 * i);
  return { positions: moved, normals: bent };
}

// Points for `paintSurface`: the corners, and the middles of edges and triangles, so that a face has no gaps.
export function pointsOf(head, triangles, box, { coloured, lift, painted }) {
  const [points, normals, colours] = [[], [], []];
  const add = (corners) => {
    const mean = (values, width) => Array.from({ length: width }, (_, c) => corners.reduce((sum, i) => sum + values[width * i + c], 0) / corners.length);
    const [at, n, place] = [mean(head.positions, 3), mean(head.normals, 3), mean(head.places, 2)];
    const colour = painted && head.paint ? mean(head.paint, 3).map((v) => 255 * v) : skinAt(head, box, ...place, coloured);
    points.push(at[0], at[1] + lift, at[2]);
    normals.push(...n);
    colours.push(...colour.map((v) => decodeSrgb(Math.max(0, Math.min(255, v)) / 255)));
  };
  for (let i = 0; i < head.places.length / 2; i++) add([i]);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = triangles.subarray(t, t + 3);
    add([a, b, c]);
    if (a < b) add([a, b]);
    if (b < c) add([b, c]);
    if (c < a) add([c, a]);
  }
  const size = Math.round(PAINT_SPAN / PAINT_PITCH);
  return { points: Float32Array.from(points), normals: Float32Array.from(normals), colours: Float32Array.from(colours), known: new Uint8Array(points.length / 3).fill(1), photo: [], width: size, height: size, pitch: PAINT_PITCH };
}

// Paints layers, each of { points, part: [from, to] as shares of the width }, side by side on one canvas.
export function paintHeads(canvas, layers, { turn, lamp }) {
  const pictures = layers.map(({ points, part }) => {
    const one = document.createElement("canvas");
    paintSurface(one, { ...points, turn, lamp, look: "skin" });
    return { one, part };
  });
  const side = pictures[0].one.width;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, side, side);
  for (const { one, part: [from, to] } of pictures) {
    const [left, right] = [Math.round(from * side), Math.round(to * side)];
    if (right > left) context.drawImage(one, left, 0, right - left, side, left, 0, right - left, side);
  }
}
