// Draws a head with WebGL 2: two textures, one at each side of a line, under one lamp, with bumps from the texture's luminance.
import { compileProgram, uniformPlaces } from "./webgl_program.js";

export const TEXTURES = ["low", "made", "seen", "truth"];
const CAMERA = [950, 7.2]; // mm from the viewer, and focal length over half the side
const FADE = 0.06; // of the window's box, over which it goes over into the rest of the head

const HEAD_VERTEX = `#version 300 es
layout(location = 0) in vec3 aPosition;
layout(location = 1) in vec3 aNormal;
layout(location = 2) in vec2 aPlace;
layout(location = 3) in vec3 aPaint;
uniform mat3 uTurn; uniform vec2 uCamera; uniform float uLift;
out vec3 vNormal; out vec3 vAt; out vec2 vPlace; out vec3 vPaint;
void main() {
  vec3 p = uTurn * (aPosition + vec3(0.0, uLift, 0.0));
  float depth = uCamera.x - p.z;
  gl_Position = vec4(uCamera.y * p.xy, depth * ((depth - uCamera.x) / 400.0), depth);
  vNormal = uTurn * aNormal; vAt = p; vPlace = aPlace; vPaint = aPaint;
}`;

const HEAD_FRAGMENT = `#version 300 es
precision highp float;
in vec3 vNormal; in vec3 vAt; in vec2 vPlace; in vec3 vPaint;
uniform sampler2D uTiles; // made, seen, truth, visible
uniform sampler2D uLow; // low-frequency albedo of the same box
uniform sampler2D uAtlas; // the rest of the head
uniform vec4 uBox; // left, top, width, height in the atlas
uniform vec2 uSides; // texture at the left of the line, at its right
uniform float uSplit; uniform float uWide; uniform float uBump; uniform float uTint; uniform vec3 uLamp;
uniform float uColoured; // 0: the tiles change no colour, and are relief only
uniform float uRelief; // 1: the second tile is the relief, whatever is shown
uniform float uPaint; // how much of each vertex's own colour lies over the skin
out vec4 colour;
vec3 decode(vec3 c) { return mix(c / 12.92, pow((max(c, 0.04045) + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
vec3 encode(vec3 c) { c = clamp(c, 0.0, 1.0); return mix(12.92 * c, 1.055 * pow(max(c, 1e-5), vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)); }
float grey(vec3 c) { return dot(c, vec3(0.299, 0.587, 0.114)); }
float within(vec2 q) { vec2 e = smoothstep(0.0, ${FADE.toFixed(3)}, min(q, 1.0 - q)); return e.x * e.y; }
// Luminance that the texture adds to the low-frequency albedo.
float detail(vec2 q, float which) {
  vec4 tiles = texture(uTiles, q);
  float base = grey(texture(uLow, q).rgb);
  if (which < 0.5) return 0.0;
  return (which < 1.5 ? tiles.r : which < 2.5 ? tiles.g : tiles.b) - base;
}
// What bumps are made of.
float heightOf(vec2 q, float which) { return uRelief > 0.5 ? texture(uTiles, q).g : detail(q, which); }
void main() {
  vec2 q = (vPlace - uBox.xy) / uBox.zw;
  float which = gl_FragCoord.x < uSplit * uWide ? uSides.x : uSides.y;
  float share = within(q);
  vec2 held = clamp(q, 0.0, 1.0);
  vec3 skin = texture(uLow, held).rgb + uColoured * detail(held, which);
  float visible = texture(uTiles, held).a;
  if (which > 1.5 && which < 2.5) skin = mix(vec3(0.32), skin, smoothstep(0.4, 0.6, visible));
  vec3 base = mix(mix(texture(uAtlas, vPlace).rgb, skin, share), vPaint, uPaint);
  vec3 n = normalize(vNormal);
  if (uBump > 0.0 && share > 0.0) { // Mikkelsen (2010): a slope of the surface from differences on the screen
    vec2 qx = dFdx(q), qy = dFdy(q);
    float here = heightOf(held, which);
    float hx = (heightOf(clamp(q + qx, 0.0, 1.0), which) - here) * uBump * share, hy = (heightOf(clamp(q + qy, 0.0, 1.0), which) - here) * uBump * share;
    vec3 px = dFdx(vAt), py = dFdy(vAt);
    vec3 r1 = cross(py, n), r2 = cross(n, px);
    float det = dot(px, r1);
    n = normalize(abs(det) * n - sign(det) * (hx * r1 + hy * r2));
  }
  float facing = dot(n, uLamp);
  vec3 wrap = vec3(0.22, 0.10, 0.06); // light that comes back out beside where it went in: red goes farthest
  vec3 diffuse = max((facing + wrap) / (1.0 + wrap), 0.0);
  vec3 halfway = normalize(uLamp + vec3(0.0, 0.0, 1.0));
  float shine = 0.05 * pow(max(dot(n, halfway), 0.0), 28.0) * smoothstep(0.0, 0.2, facing);
  vec3 ambient = vec3(0.34) * (1.0 + 0.35 * n.y) * (0.55 + 0.45 * max(n.z, 0.0));
  vec3 lit = decode(base) * (1.05 * diffuse + ambient) + shine;
  float invented = share * (1.0 - smoothstep(0.4, 0.6, visible)) * uTint;
  colour = vec4(mix(encode(lit), vec3(0.84, 0.37, 0.0), 0.45 * invented), 1.0);
}`;

// heads: [{ positions, normals, places, tiles, low, atlas, paint }]: arrays of vertices (paint, their colours, may be missing), and pictures { width, height, data (RGBA) }.
// null where the browser has no WebGL 2.
export function makeHeadView(canvas, heads, triangles, box) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, preserveDrawingBuffer: true, powerPreference: "high-performance" });
  if (!gl) return null;
  let made = null;

  function picture({ width, height, data }) {
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(data.buffer, data.byteOffset, data.length));
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    const finer = gl.getExtension("EXT_texture_filter_anisotropic");
    if (finer) gl.texParameterf(gl.TEXTURE_2D, finer.TEXTURE_MAX_ANISOTROPY_EXT, 4);
    return texture;
  }

  function build() {
    const program = compileProgram(gl, HEAD_VERTEX, HEAD_FRAGMENT);
    const indices = gl.createBuffer();
    const arrays = heads.map((head) => {
      const array = gl.createVertexArray();
      gl.bindVertexArray(array);
      [[head.positions, 3], [head.normals, 3], [head.places, 2], [head.paint, 3]].forEach(([data, width], place) => {
        if (!data) return; // nought for every vertex
        gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
        gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
        gl.vertexAttribPointer(place, width, gl.FLOAT, false, 0, 0);
        gl.enableVertexAttribArray(place);
      });
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, indices);
      return { array, pictures: [head.tiles, head.low, head.atlas].map(picture) };
    });
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
    return { program, arrays, places: uniformPlaces(gl, program) };
  }

  const lost = (event) => { event.preventDefault(); made = null; };
  canvas.addEventListener("webglcontextlost", lost);
  return {
    // rotation: nine numbers row by row; sides: names of two textures; split: share of the width; lamp: unit vector;
    // part: shares of the width between which to draw, the rest being left as it is.
    draw({ person, rotation, sides, split, lamp, bump, tint, lift, coloured = true, relief = false, paint = 0, part = [0, 1] }) {
      if (gl.isContextLost()) return;
      made ??= build();
      const { places, arrays } = made;
      gl.viewport(0, 0, canvas.width, canvas.height);
      const [from, to] = part.map((share) => Math.round(share * canvas.width));
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(from, 0, Math.max(0, to - from), canvas.height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.enable(gl.DEPTH_TEST);
      gl.useProgram(made.program);
      gl.uniformMatrix3fv(places.uTurn, true, rotation);
      gl.uniform2fv(places.uCamera, CAMERA);
      gl.uniform1f(places.uLift, lift);
      gl.uniform4fv(places.uBox, box);
      gl.uniform2fv(places.uSides, sides.map((name) => TEXTURES.indexOf(name)));
      gl.uniform1f(places.uSplit, split);
      gl.uniform1f(places.uWide, canvas.width);
      gl.uniform1f(places.uBump, bump);
      gl.uniform1f(places.uTint, tint ? 1 : 0);
      gl.uniform3fv(places.uLamp, lamp);
      gl.uniform1f(places.uColoured, coloured ? 1 : 0);
      gl.uniform1f(places.uRelief, relief ? 1 : 0);
      gl.uniform1f(places.uPaint, paint);
      gl.bindVertexArray(arrays[person].array);
      arrays[person].pictures.forEach((texture, unit) => {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.uniform1i([places.uTiles, places.uLow, places.uAtlas][unit], unit);
      });
      gl.drawElements(gl.TRIANGLES, triangles.length, triangles instanceof Uint32Array ? gl.UNSIGNED_INT : gl.UNSIGNED_SHORT, 0);
      gl.bindVertexArray(null);
    },
    // Frees the card's memory at once.
    dispose() {
      canvas.removeEventListener("webglcontextlost", lost);
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}
