// What the graphics card draws: the head, what the key light sees, backdrop, ball and mesh.
import { LIGHTING } from "./face_lighting.js";

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
  // What is in the mouth lies a little deeper than it is: some faces are narrower than their teeth.
  float depth = -vView.z;
  float sunk = vPart == 3 || vPart == 5 || vPart == 6 ? depth + 4.0 : depth;
  float near = uView.x - 500.0, far = uView.x + 500.0;
  gl_Position = vec4(2.0 * uView.y * vView.xy * sunk / depth, (far + near) / (far - near) * sunk - 2.0 * far * near / (far - near) - uView.w, sunk);
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
uniform sampler2D uTones, uShadow, uDetail, uPores, uWrinkles, uFreckles;
uniform mat3 uTurn, uLightTurn;
uniform vec4 uShadowFrame; // centre in the light's frame, half the map's side, mm
uniform vec4 uSkin; // melanin, haemoglobin, freckles, age
uniform vec4 uIris; // u, v of the centre of the left and of the right iris
uniform vec2 uIrisRadii;
uniform vec3 uIrisColour, uHairColour;
uniform vec3 uEyeCentres[2];
uniform vec3 uPnccLow, uPnccSize;
uniform float uDistance;
uniform vec3 uStubble; // on the scalp, on the chin, and 1 where strands grow over the scalp's
uniform vec4 uRelief; // mm that black and white stand for: pores, wrinkles
uniform vec3 uPainted; // tone of the person whose textures these are
const float uReliefFade = 1.0;
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
  float lips = vFirst.x, nose = vFirst.z, scalp = vSecond.x, beard = vSecond.y;
  float footprint = length(fwidth(vRest));
  // Freckles and age spots are melanin.
  float melanin = uSkin.x + 0.55 * uSkin.z * texture(uFreckles, vUv).r;
  if (uSkin.w > 0.05) melanin += 0.8 * uSkin.w * uSkin.w * (0.05 * (noise(vRest / 11.0) - 0.5) + 0.16 * spots(vRest / 13.0 + 31.0, 0.16));
  vec3 painted = texture(uDetail, vUv).rgb;
  Surface s;
  s.albedo = tone(melanin, uSkin.y) * painted / uPainted;
  // Cropped hair: dots too fine for a mesh, and a shadow where they are finer than a pixel.
  float dots = 0.0, hair = 0.0;
  if (max(scalp * uStubble.x, beard * uStubble.y) > 0.0) {
    dots = uStubble.z > 0.0 ? 1.0 : mix(0.6, step(0.42, noise(vRest / 0.6)), smoothstep(0.9, 0.35, footprint));
    // Under strands, the paint begins softly, further in than they do.
    vec3 edge = mix(vec3(0.3, 0.75, 0.3), vec3(0.45, 1.0, 0.1), uStubble.z);
    hair = smoothstep(edge.x, edge.y, scalp + edge.z * (noise(vRest / 3.1) - 0.5)) * uStubble.x;
    hair = max(hair, uStubble.y * smoothstep(0.2, 0.9, beard) * 0.5);
  }
  s.albedo = mix(s.albedo, uHairColour, hair * dots);
  float height = mix(uRelief.x, uRelief.y, texture(uPores, vUv).r);
  float wrinkle = mix(uRelief.z, uRelief.w, texture(uWrinkles, vUv).r);
  float lines = uSkin.w * wrinkle;
  s.albedo *= 1.0 - 0.25 * clamp(-lines, 0.0, 1.0);
  s.normal = relief(n, vView, (height + lines) * smoothstep(1.6, 0.3, footprint * uReliefFade));
  s.roughness = 0.47 - 0.05 * nose - 0.1 * lips + 0.05 * uSkin.w + 0.15 * hair;
  s.specular = 0.9 - 0.5 * hair;
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
  vec3 white = texture(uDetail, vUv).rgb;
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
  s.normal = n; s.occlusion = vThird.x; s.skin = 1.0; s.specular = 0.7; s.roughness = 0.38;
  s.albedo = texture(uDetail, vUv).rgb;
  if (vPart == 2) s.albedo *= tone(uSkin.x, uSkin.y) / uPainted;
  else if (vPart == 5) { s.skin = 0.3; s.roughness = 0.2; s.specular = 0.9; }
  return s;
}

void main() {
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
