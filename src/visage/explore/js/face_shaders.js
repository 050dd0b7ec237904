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

// Places of the head in the camera's frame, which is also the light's.
export const HEAD_VERTEX = `#version 300 es
precision highp float;
in vec3 aPosition, aNormal, aRest;
in vec2 aUv;
in vec4 aFirst, aSecond; // lips, ears, nose, cheeks; scalp, beard, lids, torso
in vec3 aThird; // occlusion, part, how far along a lash
uniform mat3 uTurn;
uniform vec4 uView; // distance, focal length times zoom, lift, depth offset
out vec3 vView, vNormal, vRest, vHead;
out vec2 vUv;
out vec4 vFirst, vSecond;
out vec2 vThird;
flat out int vPart;
void main() {
  vView = uTurn * aPosition + vec3(0.0, uView.z, -uView.x);
  vNormal = uTurn * aNormal;
  vRest = aRest;
  vHead = aPosition;
  vUv = aUv;
  vFirst = aFirst;
  vSecond = aSecond;
  vThird = aThird.xz;
  vPart = int(aThird.y * 255.0 + 0.5);
  float depth = -vView.z;
  float near = uView.x - 500.0, far = uView.x + 500.0;
  gl_Position = vec4(2.0 * uView.y * vView.xy, (far + near) / (far - near) * depth - 2.0 * far * near / (far - near) - uView.w, depth);
}`;

const NOISE = `
float hash(ivec3 p) {
  uint h = uint(p.x) * 0x8da6b343u ^ uint(p.y) * 0xd8163841u ^ uint(p.z) * 0xcb1ab31fu;
  h ^= h >> 15; h *= 0x2c1b3c6du; h ^= h >> 12; h *= 0x297a2d39u; h ^= h >> 15;
  return float(h & 0xffffffu) / 16777216.0;
}
// Value noise in [0, 1] with cells of 1.
float noise(vec3 p) {
  ivec3 i = ivec3(floor(p));
  vec3 f = fract(p);
  f = f * f * (3.0 - 2.0 * f);
  vec4 low = vec4(hash(i), hash(i + ivec3(1, 0, 0)), hash(i + ivec3(0, 1, 0)), hash(i + ivec3(1, 1, 0)));
  vec4 high = vec4(hash(i + ivec3(0, 0, 1)), hash(i + ivec3(1, 0, 1)), hash(i + ivec3(0, 1, 1)), hash(i + ivec3(1)));
  vec4 four = mix(low, high, f.z);
  vec2 two = mix(four.xz, four.yw, f.x);
  return mix(two.x, two.y, f.y);
}
// Spots: one in each cell of 1, of random place and size; returns how deep inside one we are.
float spots(vec3 p, float size) {
  ivec3 i = ivec3(floor(p));
  float found = 0.0;
  for (int k = 0; k < 8; k++) {
    ivec3 cell = i + ivec3(k & 1, (k >> 1) & 1, k >> 2) - ivec3(1 - int(fract(p) .x > 0.5), 1 - int(fract(p).y > 0.5), 1 - int(fract(p).z > 0.5));
    vec3 at = vec3(cell) + 0.2 + 0.6 * vec3(hash(cell), hash(cell + 71), hash(cell + 143));
    float radius = size * (0.3 + hash(cell + 211));
    found = max(found, (1.0 - smoothstep(0.5, 1.0, length(p - at) / radius)) * hash(cell + 307));
  }
  return found;
}
`;

export const HEAD_FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2D;
in vec3 vView, vNormal, vRest, vHead;
in vec2 vUv;
in vec4 vFirst, vSecond;
in vec2 vThird;
flat in int vPart;
out vec4 colour;
uniform int uMode; // 0 shaded, 1 albedo, 2 normals, 3 depth, 4 PNCC, 5 UV, 6 plain grey
uniform sampler2D uTones, uShadow;
uniform mat3 uTurn, uLightTurn;
uniform vec4 uShadowFrame; // centre in the light's frame, half the map's side, mm
uniform vec4 uSkin; // melanin, haemoglobin, freckles, age
uniform vec4 uIris; // u, v of the centre of the left and of the right iris
uniform vec2 uIrisRadii;
uniform vec3 uIrisColour, uHairColour;
uniform vec3 uEyeCentres[2];
uniform vec3 uPnccLow, uPnccSize;
uniform float uDistance;
uniform float uStubble;
${LIGHTING}
${NOISE}
vec3 tone(float melanin, float haemoglobin) {
  vec2 at = clamp(vec2(haemoglobin, melanin), 0.0, 1.0);
  return texture(uTones, (at * 31.0 + 0.5) / 32.0).rgb;
}

// Share of the key light that arrives: percentage-closer soft shadows, as visage.faces.shadow.
float keyVisibility(vec3 position, vec3 n) {
  vec3 p = uLightTurn * position - uShadowFrame.xyz;
  vec3 m = uLightTurn * n;
  float s = sin(uKeyRadius);
  if (m.z < -max(s, 0.35)) return 0.0;
  vec2 tilt = m.xy / max(m.z, 0.2);
  float extent = uShadowFrame.w, size = float(textureSize(uShadow, 0).x);
  float texel = 2.0 * extent / size;
  float spread = tan(uKeyRadius);
  float reach = max(60.0 * spread, 2.0 * texel);
  float turn = 6.2831853 * fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
  float total = 0.0, away = 0.0;
  for (int k = 0; k < 10; k++) {
    float r = sqrt((float(k) + 0.5) / 10.0), a = float(k) * 2.39996323 + turn;
    vec2 d = reach * r * vec2(cos(a), sin(a));
    float depth = (0.5 - texture(uShadow, (p.xy + d) / (2.0 * extent) + 0.5).r) * 2.0 * extent; // towards the light
    float gap = depth - (p.z - dot(tilt, d)) - 0.1 * length(d) / max(m.z, 0.2);
    float w = clamp((gap - 1.0) / 1.5, 0.0, 1.0);
    total += w; away += w * (depth - p.z);
  }
  if (total < 1e-4) return 1.0;
  float half_shadow = max(spread * away / total, 1.5 * texel);
  float hidden = 0.0;
  for (int k = 0; k < 20; k++) {
    float r = sqrt((float(k) + 0.5) / 20.0), a = float(k) * 2.39996323 + turn;
    vec2 d = half_shadow * r * vec2(cos(a), sin(a));
    float depth = (0.5 - texture(uShadow, (p.xy + d) / (2.0 * extent) + 0.5).r) * 2.0 * extent;
    float gap = depth - (p.z - dot(tilt, d)) - 0.1 * length(d) / max(m.z, 0.2);
    hidden += clamp((gap - 1.0) / 1.5, 0.0, 1.0);
  }
  return 1.0 - hidden / 20.0;
}

// Normals of a surface raised by height along them (Mikkelsen 2010), as visage.faces.relief.
vec3 relief(vec3 n, vec3 position, float height) {
  vec3 right = dFdx(position), up = dFdy(position);
  vec3 first = cross(up, n), second = cross(n, right);
  float area = dot(right, first);
  vec3 gradient = sign(area) * (dFdx(height) * first + dFdy(height) * second) / max(abs(area), 1e-6);
  float steep = max(length(gradient), 1e-6);
  return normalize(n - gradient * min(1.0, 0.8 / steep));
}

struct Surface { vec3 albedo; vec3 normal; float roughness, specular, skin, occlusion; };

Surface skinSurface(vec3 n) {
  float lips = vFirst.x, ears = vFirst.y, nose = vFirst.z, cheeks = vFirst.w;
  float scalp = vSecond.x, beard = vSecond.y, lids = vSecond.z;
  float wide = noise(vRest / 17.0) - 0.5, middle = noise(vRest / 5.0 + 7.0) - 0.5, fine = noise(vRest / 1.3 + 3.0) - 0.5;
  float footprint = length(fwidth(vRest));
  float melanin = uSkin.x + 0.05 * wide + 0.05 * middle + 0.05 * fine + 0.03 * lids;
  float blood = uSkin.y + 0.16 * wide + 0.14 * middle + 0.08 * fine;
  blood += 0.16 * cheeks + 0.22 * nose + 0.24 * ears + 0.1 * lids;
  float lip = smoothstep(0.35, 0.75, lips);
  blood += 0.55 * lip;
  melanin += 0.06 * lip * (1.0 - uSkin.x);
  // Freckles sit where the sun does: nose and cheeks more than the chin.
  float sunny = clamp(0.35 + 0.8 * nose + 0.8 * cheeks, 0.0, 1.0) * (1.0 - lip) * (1.0 - 0.8 * scalp);
  melanin += 0.42 * uSkin.z * sunny * spots(vRest / 2.6, 0.34) * smoothstep(2.5, 1.2, footprint);
  // Age spots and duller, more uneven skin.
  melanin += uSkin.w * (0.10 * wide + 0.08 * middle + 0.25 * spots(vRest / 9.0 + 31.0, 0.22));
  blood -= 0.12 * uSkin.w * lip;
  Surface s;
  s.albedo = tone(melanin, blood);
  // Cropped hair: dots too fine for a mesh, and a shadow where they are finer than a pixel.
  float dots = mix(0.55, step(0.45, noise(vRest / 0.55)), smoothstep(1.0, 0.4, footprint));
  float hair = smoothstep(0.25, 0.8, scalp + 0.25 * (noise(vRest / 2.2) - 0.5)) * 0.85;
  hair = max(hair, uStubble * smoothstep(0.2, 0.9, beard) * 0.5);
  s.albedo = mix(s.albedo, uHairColour, hair * dots);
  float pores = (noise(vRest / 0.45) + 0.7 * noise(vRest / 0.9 + 5.0)) * smoothstep(0.6, 0.2, footprint) * 0.035;
  float creases = (noise(vRest * vec3(0.9, 0.16, 0.5) + 11.0)) * lip * 0.22 * smoothstep(1.2, 0.4, footprint);
  s.normal = relief(n, vView, pores * (1.0 - lip) + creases);
  s.roughness = mix(mix(0.46, 0.38, nose), 0.30, lip) + 0.08 * fine + 0.2 * hair;
  s.specular = mix(1.0, 1.1, lip) * (1.0 - 0.7 * hair);
  s.skin = 1.0 - 0.6 * hair;
  s.occlusion = vThird.x;
  return s;
}

Surface eyeSurface(vec3 n) {
  int side = vHead.x > 0.0 ? 0 : 1;
  vec2 centre = side == 0 ? uIris.xy : uIris.zw;
  float r = length(vUv - centre) / uIrisRadii.x;
  float angle = atan(vUv.y - centre.y, vUv.x - centre.x);
  float pupil = uIrisRadii.y / uIrisRadii.x * 0.9;
  float edge = fwidth(r) + 0.02;
  float fibre = noise(vec3(9.0 * cos(angle), 9.0 * sin(angle), 2.2 * r + 5.0 * float(side)));
  float ring = noise(vec3(3.0 * cos(angle), 3.0 * sin(angle), 5.0 * r));
  vec3 iris = uIrisColour * (0.55 + 0.9 * fibre) * (0.75 + 0.5 * ring);
  iris = mix(iris, uIrisColour * vec3(1.5, 1.15, 0.7), 0.45 * smoothstep(0.85, 0.5, r) * ring);
  iris *= 1.0 - 0.75 * smoothstep(0.78, 1.02, r);
  iris = mix(vec3(0.004), iris, smoothstep(pupil - edge, pupil + edge, r));
  float veins = pow(noise(vRest / 1.1 + 20.0), 3.0);
  vec3 white = mix(vec3(0.60, 0.56, 0.52), vec3(0.50, 0.30, 0.26), 0.25 * veins + 0.5 * smoothstep(1.9, 3.4, r));
  Surface s;
  s.albedo = mix(iris, white, smoothstep(1.0 - edge - 0.05, 1.0 + edge + 0.05, r));
  vec3 out_ = normalize(uTurn * (vHead - uEyeCentres[side]));
  s.normal = out_;
  s.roughness = 0.09;
  s.specular = 1.0;
  s.skin = 0.35;
  s.occlusion = vThird.x;
  return s;
}

Surface surface(vec3 n) {
  Surface s;
  if (vPart <= 1) return skinSurface(n);
  if (vPart == 4) return eyeSurface(n);
  s.normal = n; s.occlusion = vThird.x; s.skin = 1.0; s.specular = 1.2; s.roughness = 0.3;
  if (vPart == 2) s.albedo = tone(uSkin.x * 0.8, uSkin.y + 0.3);
  else if (vPart == 3) s.albedo = mix(tone(uSkin.x * 0.35, 0.85), vec3(0.28, 0.05, 0.04), 0.5);
  else if (vPart == 5) { s.albedo = vec3(0.62, 0.56, 0.44); s.skin = 0.3; s.roughness = 0.2; }
  else if (vPart == 6) s.albedo = vec3(0.42, 0.13, 0.11) * (0.85 + 0.3 * noise(vRest / 0.8));
  else { s.albedo = uHairColour * 0.35; s.skin = 0.0; s.specular = 0.2; }
  return s;
}

void main() {
  if (vPart == 7) {
    // Lashes: hairs across the strip, thinner towards their tips.
    float along = vRest.x * 1.5 + 0.6 * vThird.y * noise(vec3(floor(vRest.x * 1.5), 0.0, 3.0));
    float hair = abs(fract(along) - 0.5) * 2.0;
    if (uMode != 0 || hair > 0.75 * (1.0 - 0.75 * vThird.y) || vThird.y > 0.7 + 0.3 * hash(ivec3(floor(along), 1, 2))) discard;
  }
  vec3 n = normalize(vNormal);
  vec3 towards = normalize(-vView);
  if (uMode == 2) { colour = vec4(0.5 + 0.5 * n, 1.0); return; }
  if (uMode == 3) { colour = vec4(vec3(clamp((uDistance + 140.0 + vView.z) / 300.0, 0.0, 1.0)), 1.0); return; }
  if (uMode == 4) { colour = vec4(clamp((vRest - uPnccLow) / uPnccSize, 0.0, 1.0), 1.0); return; }
  if (uMode == 5) {
    vec2 lines = abs(fract(vUv * 32.0) - 0.5) / max(fwidth(vUv * 32.0), 1e-5);
    colour = vec4(mix(vec3(vUv, 0.35), vec3(1.0), 0.6 * clamp(1.0 - 0.9 * (min(abs(0.5 / max(fwidth(vUv.x * 32.0), 1e-5) - lines.x), abs(0.5 / max(fwidth(vUv.y * 32.0), 1e-5) - lines.y))), 0.0, 1.0)), 1.0);
    return;
  }
  Surface s = surface(n);
  if (uMode == 1) { colour = vec4(encodeSrgb(s.albedo), 1.0); return; }
  if (uMode == 6) { s.albedo = vec3(0.18); s.normal = n; s.roughness = 0.5; s.skin = 0.0; }
  float visible = keyVisibility(vView, n);
  vec3 linear = reflectLight(s.albedo, s.normal, towards, visible, s.occlusion, s.roughness, s.specular, s.skin);
  if (vPart == 4 && uMode == 0) {
    // The wet eye mirrors its surroundings.
    vec3 mirrored = reflect(-towards, s.normal);
    float fresnel = SKIN_F0 + (1.0 - SKIN_F0) * pow(1.0 - max(dot(s.normal, towards), 0.0), 5.0);
    linear += fresnel * max(radiance(mirrored), 0.0) * s.occlusion;
  }
  colour = vec4(encodeSrgb(linear), 1.0);
}`;

export const SHADOW_VERTEX = `#version 300 es
precision highp float;
in vec3 aPosition;
uniform mat3 uTurn, uLightTurn;
uniform vec4 uShadowFrame;
uniform vec2 uShift; // lift and distance: from the head's frame to the camera's
void main() {
  vec3 p = uLightTurn * (uTurn * aPosition + vec3(0.0, uShift.x, -uShift.y)) - uShadowFrame.xyz;
  gl_Position = vec4(p.xy, -p.z, uShadowFrame.w);
}`;

export const SHADOW_FRAGMENT = `#version 300 es
precision highp float;
void main() {}`;

// A triangle that covers the picture: the backdrop, or the sphere that shows the light.
export const PLANE_VERTEX = `#version 300 es
precision highp float;
out vec2 vPlace;
void main() {
  vPlace = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(vPlace, 0.99999, 1.0);
}`;

export const BACKDROP_FRAGMENT = `#version 300 es
precision highp float;
in vec2 vPlace;
out vec4 colour;
uniform vec3 uInner, uOuter;
void main() {
  float far = length(vPlace * vec2(0.75, 0.7) - vec2(0.0, 0.12));
  vec3 mixed = mix(uInner, uOuter, smoothstep(0.0, 1.15, far));
  float dither = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) / 255.0;
  colour = vec4(mixed + dither, 1.0);
}`;

// A white ball under the same light.
export const BALL_FRAGMENT = `#version 300 es
precision highp float;
in vec2 vPlace;
out vec4 colour;
${LIGHTING}
void main() {
  float r = length(vPlace), edge = fwidth(r);
  if (r > 1.0) discard;
  vec3 n = vec3(vPlace, sqrt(max(1.0 - r * r, 0.0)));
  vec3 linear = 0.75 * (shade(n) + uKeyColour * lambert(dot(n, uKeyDirection), vec3(uKeyRadius)));
  linear += uKeyColour * PI * ggx(n, uKeyDirection, vec3(0.0, 0.0, 1.0), sqrt(max(0.04 + sin(uKeyRadius) / 3.0, 0.0009)), 0.05);
  colour = vec4(encodeSrgb(linear), 1.0) * (1.0 - smoothstep(1.0 - 2.0 * edge, 1.0, r));
}`;

export const LINE_VERTEX = `#version 300 es
precision highp float;
in vec3 aPosition;
uniform mat3 uTurn;
uniform vec4 uView;
void main() {
  vec3 view = uTurn * aPosition + vec3(0.0, uView.z, -uView.x);
  float near = uView.x - 500.0, far = uView.x + 500.0;
  gl_Position = vec4(2.0 * uView.y * view.xy, (far + near) / (far - near) * -view.z - 2.0 * far * near / (far - near) - uView.w, -view.z);
}`;

export const LINE_FRAGMENT = `#version 300 es
precision highp float;
uniform vec4 uColour;
out vec4 colour;
void main() { colour = vec4(uColour.rgb * uColour.a, uColour.a); }`;
