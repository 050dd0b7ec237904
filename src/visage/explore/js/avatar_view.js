// Draws a head of coloured vertices with WebGL 2, as visage.normalization.avatar.draw_avatars does.
import { vertexNormals } from "./face_model.js";
import { compileProgram, uniformPlaces } from "./webgl_program.js";

export const SHOWS = ["blend", "projected", "confidence", "basis", "shape"];

const VERTEX = `#version 300 es
layout(location = 0) in vec3 aPosition;
layout(location = 1) in vec3 aNormal;
layout(location = 2) in vec4 aProjected; // and the confidence
layout(location = 3) in vec3 aExplained;
uniform mat3 uTurn;
uniform vec4 uCamera; // distance, focal length over half the side, shift across, shift up
out vec3 vNormal;
out vec4 vProjected;
out vec3 vExplained;
void main() {
  vec3 p = uTurn * aPosition;
  float depth = uCamera.x - p.z;
  gl_Position = vec4(uCamera.y * (p.xy + uCamera.zw), depth * ((depth - uCamera.x) / 400.0), depth);
  vNormal = uTurn * aNormal;
  vProjected = aProjected;
  vExplained = aExplained;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec3 vNormal;
in vec4 vProjected;
in vec3 vExplained;
uniform int uShow;
uniform float uLit;
uniform vec3 uHarmonics[9]; // each times what it multiplies
out vec4 colour;
vec3 decode(vec3 c) { return mix(c / 12.92, pow((max(c, 0.04045) + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
vec3 encode(vec3 c) { return min(12.92 * c, 1.055 * pow(max(c, 0.0031308), vec3(1.0 / 2.4)) - 0.055); }
vec3 shade(vec3 n) {
  vec3 sum = uHarmonics[0] + n.y * uHarmonics[1] + n.z * uHarmonics[2] + n.x * uHarmonics[3];
  sum += n.x * n.y * uHarmonics[4] + n.y * n.z * uHarmonics[5] + n.x * n.z * uHarmonics[7];
  return sum + (3.0 * n.z * n.z - 1.0) * uHarmonics[6] + (n.x * n.x - n.y * n.y) * uHarmonics[8];
}
void main() {
  vec3 c = mix(vExplained, vProjected.rgb, vProjected.a); // eq. 12
  if (uShow == 1) c = vProjected.rgb;
  if (uShow == 2) c = vec3(vProjected.a);
  if (uShow == 3) c = vExplained;
  if (uShow == 4) c = vec3(0.72);
  float lit = uShow == 2 ? 0.0 : uShow == 4 ? 1.0 : uLit;
  colour = vec4(encode(min(decode(c) * mix(vec3(1.0), shade(normalize(vNormal)), lit), 1.0)), 1.0);
}`;

// The file's arrays, head by head, as the graphics card takes them.
export function avatarHeads({ header, arrays }) {
  const [count, , vertices] = header.arrays.find(({ name }) => name === "positions").shape;
  return Array.from({ length: count }, (_, p) => {
    const positions = new Float32Array(3 * vertices), projected = new Uint8Array(4 * vertices);
    for (let v = 0; v < vertices; v++) {
      for (let c = 0; c < 3; c++) {
        positions[3 * v + c] = header.step * arrays.positions[(3 * p + c) * vertices + v];
        projected[4 * v + c] = arrays.projected[3 * (p * vertices + v) + c];
      }
      projected[4 * v + 3] = arrays.confidence[p * vertices + v];
    }
    const normals = vertexNormals(positions, arrays.triangles, new Float32Array(3 * vertices));
    return { positions, normals, projected, explained: arrays.explained.slice(3 * p * vertices, 3 * (p + 1) * vertices) };
  });
}

// heads: [{ positions, normals, projected (rgb and confidence), explained }], with one list of triangles.
// Throws where the browser has no WebGL 2.
export function makeAvatarView(canvas, heads, triangles, harmonics) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: false, preserveDrawingBuffer: true });
  if (!gl) throw new Error("This browser does not offer WebGL 2.");
  let made = null;

  function build() {
    const program = compileProgram(gl, VERTEX, FRAGMENT);
    const indices = gl.createBuffer();
    const arrays = heads.map((head) => {
      const array = gl.createVertexArray();
      gl.bindVertexArray(array);
      const parts = [[head.positions, 3, gl.FLOAT, false], [head.normals, 3, gl.FLOAT, false], [head.projected, 4, gl.UNSIGNED_BYTE, true], [head.explained, 3, gl.UNSIGNED_BYTE, true]];
      parts.forEach(([data, width, type, scaled], place) => {
        gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
        gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
        gl.vertexAttribPointer(place, width, type, scaled, 0, 0);
        gl.enableVertexAttribArray(place);
      });
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, indices);
      return array;
    });
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
    return { program, arrays, places: uniformPlaces(gl, program) };
  }

  const lost = (event) => { event.preventDefault(); made = null; };
  canvas.addEventListener("webglcontextlost", lost);
  return {
    // rotation: nine numbers row by row; camera: distance, focal length over half the side, shifts.
    draw({ person, rotation, camera, show, lit, paper }) {
      if (gl.isContextLost()) return;
      made ??= build();
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(...paper, 1);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.enable(gl.DEPTH_TEST);
      gl.useProgram(made.program);
      gl.uniformMatrix3fv(made.places.uTurn, true, rotation);
      gl.uniform4fv(made.places.uCamera, camera);
      gl.uniform1i(made.places.uShow, SHOWS.indexOf(show));
      gl.uniform1f(made.places.uLit, lit);
      gl.uniform3fv(made.places.uHarmonics, harmonics);
      gl.bindVertexArray(made.arrays[person]);
      gl.drawElements(gl.TRIANGLES, triangles.length, gl.UNSIGNED_SHORT, 0);
      gl.bindVertexArray(null);
    },
    // Frees the card's memory at once.
    dispose() {
      canvas.removeEventListener("webglcontextlost", lost);
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}
