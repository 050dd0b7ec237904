// What the graphics card computes. LIGHTING has the equations of visage.faces.reflectance, harmonics
// and shading, line by line; a test compares them with Python's numbers.

export const LIGHTING = `
const float PI = 3.14159265358979;
const vec3 SKIN_SCATTER = vec3(0.30, 0.13, 0.08);
const float SKIN_F0 = 0.028;
uniform vec3 uAmbient[9];
uniform vec3 uKeyDirection;
uniform vec3 uKeyColour;
uniform float uKeyRadius;

// The nine harmonics, each times what it multiplies: sum of weight_l Y_lm(n) L_lm.
vec3 expand(vec3 n, vec3 weight) {
  vec3 sum = weight.x * 0.28209479 * uAmbient[0];
  sum += weight.y * 0.48860251 * (n.y * uAmbient[1] + n.z * uAmbient[2] + n.x * uAmbient[3]);
  sum += weight.z * 1.09254843 * (n.x * n.y * uAmbient[4] + n.y * n.z * uAmbient[5] + n.x * n.z * uAmbient[7]);
  sum += weight.z * (0.31539157 * (3.0 * n.z * n.z - 1.0) * uAmbient[6] + 0.54627422 * (n.x * n.x - n.y * n.y) * uAmbient[8]);
  return sum;
}
vec3 shade(vec3 n) { return expand(n, vec3(1.0, 2.0 / 3.0, 0.25)); }
vec3 radiance(vec3 d) { return expand(d, vec3(1.0)); }

vec3 lambert(float cosine, vec3 radius) {
  vec3 s = max(sin(radius), 1e-3);
  vec3 cut = clamp(vec3(cosine), -s, s) + s;
  return cut * cut / (4.0 * s) + max(cosine - s, 0.0);
}

float ggx(vec3 n, vec3 l, vec3 v, float roughness, float f0) {
  vec3 h = normalize(l + v);
  float nl = dot(n, l), nv = dot(n, v);
  if (nl <= 0.0 || nv <= 0.0) return 0.0;
  nl = max(nl, 1e-4); nv = max(nv, 1e-4);
  float squared = pow(max(roughness, 0.03), 4.0);
  vec3 difference = n - h;
  float chord = dot(difference, difference);
  float sine = chord * (1.0 - chord / 4.0);
  float bottom = sine * (1.0 - squared) + squared;
  float distribution = squared / (PI * bottom * bottom);
  float masking = 0.5 / (nl * sqrt(nv * nv * (1.0 - squared) + squared) + nv * sqrt(nl * nl * (1.0 - squared) + squared));
  float fresnel = f0 + (1.0 - f0) * pow(max(1.0 - dot(h, l), 0.0), 5.0);
  return distribution * masking * fresnel * nl;
}

vec3 interreflected(float occlusion, vec3 albedo) {
  vec3 a = 2.0404 * albedo - 0.3324, b = -4.7951 * albedo + 0.6417, c = 2.7552 * albedo + 0.6903;
  return max(((a * occlusion + b) * occlusion + c) * occlusion, vec3(occlusion));
}

// skin is 1 where light scatters below the surface, visible the share of the key light that arrives.
vec3 reflectLight(vec3 albedo, vec3 n, vec3 v, float visible, float occlusion, float roughness, float specular, float skin) {
  float alpha = clamp(roughness * roughness + sin(uKeyRadius) / 3.0, 0.0009, 1.0);
  float shine = ggx(n, uKeyDirection, v, sqrt(alpha), SKIN_F0) * PI * specular;
  vec3 bleed = skin * vec3(0.5, 0.12, 0.0);
  vec3 seen = visible + bleed * visible * (1.0 - visible);
  vec3 lit = lambert(dot(n, uKeyDirection), min(vec3(uKeyRadius) + skin * SKIN_SCATTER, PI / 4.0));
  vec3 ambient = shade(n) * interreflected(occlusion, albedo);
  return albedo * (ambient + uKeyColour * lit * seen) + uKeyColour * shine * seen;
}

vec3 encodeSrgb(vec3 linear) {
  return min(12.92 * linear, 1.055 * pow(max(linear, 0.0031308), vec3(1.0 / 2.4)) - 0.055);
}
`;
