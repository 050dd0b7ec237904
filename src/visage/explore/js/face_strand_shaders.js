import { LIGHTING } from "./face_lighting.js";

// Strands of hair: two vertices a point, apart across the camera's view (or the light's). Shading is
// that of visage.faces.hair.compiled_light, at the points.
const STRAND_PLACE = `
uniform highp isampler2D uStrands; // x, y and z in steps, and openness, of every point
uniform sampler2D uMoved; // by how much each strand's root and tip have moved
uniform int uPoints, uCopy;
uniform vec3 uHair; // mm of a step, of width, between copies
float chance(int a, int b) {
  uint h = uint(a) * 0x8da6b343u ^ uint(b) * 0xd8163841u;
  h ^= h >> 15; h *= 0x2c1b3c6du; h ^= h >> 12; h *= 0x297a2d39u; h ^= h >> 15;
  return float(h & 0xffffffu) / 16777216.0;
}
vec4 strandPoint(int point) { return vec4(texelFetch(uStrands, ivec2(point & 1023, point >> 10), 0)); }
vec3 strandShift(int strand, float along) {
  ivec2 at = ivec2(2 * (strand & 255), strand >> 8);
  vec3 shift = mix(texelFetch(uMoved, at, 0).xyz, texelFetch(uMoved, at + ivec2(1, 0), 0).xyz, along);
  if (uCopy > 0) shift += uHair.z * 2.0 * (vec3(chance(strand, 3 * uCopy), chance(strand, 3 * uCopy + 1), chance(strand, 3 * uCopy + 2)) - 0.5);
  return shift;
}
struct Place { int strand; float along, side; vec4 own; vec3 forward, head; };
Place strandPlace() {
  Place p;
  int point = gl_VertexID >> 1, last = uPoints - 1;
  p.strand = point / uPoints;
  int place = point - p.strand * uPoints;
  p.along = float(place) / float(last);
  p.side = float(gl_VertexID & 1) - 0.5;
  p.own = strandPoint(point);
  p.forward = strandPoint(place < last ? point + 1 : point).xyz - strandPoint(place > 0 ? point - 1 : point).xyz;
  p.head = p.own.xyz * uHair.x + strandShift(p.strand, p.along);
  return p;
}
`;

export const STRAND_VERTEX = `#version 300 es
precision highp float;
precision highp sampler2D;
${STRAND_PLACE}
uniform mat3 uTurn, uLightTurn;
uniform vec4 uView, uShadowFrame;
uniform float uPicture; // pixels across
uniform sampler2D uShadow;
uniform vec3 uHairColour;
uniform int uMode;
out vec3 vColour;
${LIGHTING}
float lobe(float t_m, float n_m, float t_n, float shift, float power) {
  float along = t_m + shift * n_m;
  return pow(max(1.0 - along * along / (1.0 + 2.0 * shift * t_n + shift * shift), 0.0), power / 2.0);
}
void main() {
  Place place = strandPlace();
  int strand = place.strand;
  vec3 head = place.head;
  vec3 view = uTurn * head + vec3(0.0, uView.z, -uView.x);
  vec3 t = normalize(uTurn * place.forward + 1e-5);
  vec3 v = normalize(-view);
  float scale = uView.y * uPicture / -view.z; // pixels to a mm
  // Hair finer than half a pixel: fewer strands, so that the samples of a pixel do not miss it.
  float wide = uHair.y * (1.0 - 0.7 * place.along) * scale;
  if (chance(strand, 17 + uCopy) * 0.5 > uHair.y * uView.y * uPicture / uView.x) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
  vec3 aside = normalize(cross(t, v) + 1e-6) * place.side * max(wide, 0.5) / scale;
  float depth = -view.z, near = uView.x - 500.0, far = uView.x + 500.0;
  gl_Position = vec4(2.0 * uView.y * (view.xy + aside.xy), (far + near) / (far - near) * depth - 2.0 * far * near / (far - near), depth);

  // Kajiya and Kay's diffuse part and two highlights, dimmed by the hair in front.
  float jitter = 0.10 * (chance(strand, 7919 + uCopy) * 2.0 - 1.0);
  vec3 n = uTurn * (head - vec3(0.0, 35.0 + min(head.y - 35.0, 0.0), -5.0));
  n = normalize(n + 1e-5);
  n = normalize(n - 0.7 * dot(n, t) * t);
  vec3 l = uKeyDirection, m = normalize(l + v);
  float t_l = dot(t, l), t_m = dot(t, m), n_m = dot(n, m), t_n = dot(t, n);
  float wrap = clamp((dot(n, l) + 0.35) / 1.35, 0.0, 1.0);
  float sine = sqrt(max(1.0 - t_l * t_l, 0.0));
  float through = max(-dot(l, v), 0.0);
  float diffuse = wrap * (0.35 + 0.65 * sine) + 0.5 * through * through * sine;
  vec3 p = uLightTurn * view - uShadowFrame.xyz;
  float first = (0.5 - textureLod(uShadow, p.xy / (2.0 * uShadowFrame.w) + 0.5, 0.0).r) * 2.0 * uShadowFrame.w;
  float lit = exp(-max(first - p.z - 2.0, 0.0) / 16.0);
  float open = place.own.w / 255.0;
  vec3 colour = uHairColour * (0.75 + 0.5 * chance(strand, 31 + uCopy));
  float white = 0.16 * wrap * lobe(t_m, n_m, t_n, 0.10 + jitter, 70.0);
  float tinted = 0.6 * wrap * lobe(t_m, n_m, t_n, -0.18 + jitter, 14.0);
  vec3 scattered = colour * diffuse + white + sqrt(colour) * colour * tinted / (colour + 0.1);
  if (uMode == 1) { vColour = colour; return; }
  vColour = uKeyColour * sqrt(open) * lit * scattered + max(shade(n), 0.0) * open * (colour + 0.012);
}`;

export const STRAND_FRAGMENT = `#version 300 es
precision highp float;
in vec3 vColour;
out vec4 colour;
vec3 encode(vec3 linear) { return min(12.92 * linear, 1.055 * pow(max(linear, 0.0031308), vec3(1.0 / 2.4)) - 0.055); }
void main() { colour = vec4(encode(vColour), 1.0); }`;

export const STRAND_SHADOW_VERTEX = `#version 300 es
precision highp float;
precision highp sampler2D;
${STRAND_PLACE}
uniform mat3 uTurn, uLightTurn;
uniform vec4 uShadowFrame;
uniform vec2 uShift;
uniform float uTexel; // mm
void main() {
  Place place = strandPlace();
  vec3 p = uLightTurn * (uTurn * place.head + vec3(0.0, uShift.x, -uShift.y)) - uShadowFrame.xyz;
  vec2 along = (uLightTurn * (uTurn * place.forward)).xy;
  vec2 aside = normalize(vec2(-along.y, along.x) + 1e-5) * place.side * max(uTexel, uHair.y);
  gl_Position = vec4(p.xy + aside, -p.z, uShadowFrame.w);
}`;
