// Light as visage.faces.light has it: surroundings in harmonics of order 2, and one round key light.

const Y0 = Math.sqrt(1 / Math.PI) / 2;
const Y1 = Math.sqrt(3 / Math.PI) / 2;
const Y2 = Math.sqrt(15 / Math.PI) / 2;
const Y20 = Math.sqrt(5 / Math.PI) / 4;

// The nine real spherical harmonics in a direction (visage.faces.harmonics.harmonics).
export function harmonics([x, y, z]) {
  return [Y0, Y1 * y, Y1 * z, Y1 * x, Y2 * x * y, Y2 * y * z, Y20 * (3 * z * z - 1), Y2 * x * z, (Y2 / 2) * (x * x - y * y)];
}

export function keyDirection(azimuth, elevation) {
  const [a, e] = [azimuth, elevation].map((degrees) => (degrees * Math.PI) / 180);
  return [Math.cos(e) * Math.sin(a), Math.sin(e), Math.cos(e) * Math.cos(a)];
}

// All fields of visage.faces.light.Light from the page's settings; angles in degrees.
export function makeLight({ azimuth, elevation, radius, key, fill, colour, ambient }) {
  return {
    key_direction: keyDirection(azimuth, elevation),
    key_colour: colour.map((c) => key * c),
    key_radius: (radius * Math.PI) / 180,
    ambient: ambient.map((row) => row.map((value) => fill * value)),
  };
}

// The 27 numbers that explain all of the light without its shadows (Light.coefficients).
export function lightCoefficients(light) {
  const c = Math.cos(light.key_radius);
  const kept = [2 / (1 + c), 1, 1, 1, c, c, c, c, c];
  const basis = harmonics(light.key_direction);
  return light.ambient.map((row, k) => row.map((value, i) => value + Math.PI * kept[k] * basis[k] * light.key_colour[i]));
}
