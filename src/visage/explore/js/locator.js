// Finds a face in a photograph with the small locator network alone (visage.recognition.locator): no detector, no server.
import { fitSimilarity, invertSimilarity, applySimilarity, similarityAbout, CHIP_FIVE_POINTS, CHIP_SIZE } from "./geometry.js";
import { pyramid, samplePyramid } from "./image.js";

const LOCATOR_SIZE = 96; // the network's input
const SURE = 2; // logit of a refined crop that counts as a face
const SURROUNDINGS_SIZE = 2 * CHIP_SIZE;
const BATCH = 32;
const LARGEST = 1.5; // crops tried, in units of the photograph's short side
const SMALLEST = 0.22;
const SHRINK = 1.42; // from one size to the next; the network was trained for 1.6 either way
const STRIDE = 0.3; // of a crop's side; trained for shifts of this much either way

// Where the network sees best: the chip's frame with half a face width of room instead of a quarter.
const LOCATOR_TEMPLATE = CHIP_FIVE_POINTS.map((p) => p.map((v) => ((v + 0.5) / 100 + 0.25) * 48 - 0.5));

async function look(network, levels, maps) {
  const found = [];
  for (let start = 0; start < maps.length; start += BATCH) {
    const batch = maps.slice(start, start + BATCH);
    const data = new Float32Array(batch.length * 3 * LOCATOR_SIZE ** 2);
    batch.forEach((map, i) => data.set(samplePyramid(levels, map, LOCATOR_SIZE).data, i * 3 * LOCATOR_SIZE ** 2));
    const { points, logit } = await network({ crops: { data, dims: [batch.length, 3, LOCATOR_SIZE, LOCATOR_SIZE] } });
    batch.forEach((map, i) => {
      const five = Array.from({ length: 5 }, (_, k) => applySimilarity(map, [points[10 * i + 2 * k], points[10 * i + 2 * k + 1]]));
      found.push({ points: five, logit: logit[i] });
    });
    await new Promise((next) => setTimeout(next)); // let the page breathe
  }
  return found;
}

// Squares of one side that cover the photograph, as maps from the network's crop to the photograph.
export function squares({ width, height }, side) {
  const places = (length) => {
    const count = Math.max(1, Math.ceil((length - 0.5 * side) / (STRIDE * side)));
    return Array.from({ length: count }, (_, i) => ((i + 0.5) * length) / count - 0.5);
  };
  const middle = (LOCATOR_SIZE - 1) / 2;
  return places(height).flatMap((y) => places(width).map((x) => similarityAbout(side / LOCATOR_SIZE, 0, [middle, middle], [x, y])));
}

const tryFit = (points) => { try { return fitSimilarity(points, LOCATOR_TEMPLATE); } catch { return null; } };

// Five points of the surest face, largest first. Throws where there is none.
export async function findFivePoints(network, image) {
  const levels = pyramid(image);
  const short = Math.min(image.width, image.height);
  for (let side = LARGEST * short; side >= Math.max(SMALLEST * short, 60); side /= SHRINK) {
    const candidates = (await look(network, levels, squares(image, side))).sort((a, b) => b.logit - a.logit).slice(0, 3);
    for (let round = 0; round < 3; round++) {
      const maps = candidates.map((c) => tryFit(c.points)).filter(Boolean).map(invertSimilarity);
      candidates.splice(0, candidates.length, ...(await look(network, levels, maps)));
    }
    const [best] = candidates.sort((a, b) => b.logit - a.logit);
    if (best && best.logit > SURE && inside(best.points, image)) return best.points;
  }
  throw new Error("No face was found in this photograph. Choose one in which somebody looks at the camera.");
}

const inside = (points, { width, height }) => points.every(([x, y]) => x > 0 && y > 0 && x < width && y < height);

// The face with its surroundings, as the explorers use it: the recogniser's chip with half a chip of margin all round.
export async function findFace(network, image) {
  const points = await findFivePoints(network, image);
  const margin = (SURROUNDINGS_SIZE - CHIP_SIZE) / 2;
  const target = CHIP_FIVE_POINTS.map(([x, y]) => [x + margin, y + margin]);
  return samplePyramid(pyramid(image), invertSimilarity(fitSimilarity(points, target)), SURROUNDINGS_SIZE);
}
