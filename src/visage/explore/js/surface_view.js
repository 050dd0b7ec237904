// Draws one triangle mesh with WebGL 2: turned by the reader, under one lamp, in one of the looks.
import { SHADING_GLSL, LOOKS, DEPTH_RANGE } from "./surface_shading.js";
import { compileProgram, uniformPlaces } from "./webgl_program.js";

const VERTEX = `#version 300 es
in vec3 aPoint; in vec3 aNormal; in vec3 aColour; in vec3 aPhoto;
uniform mat3 uTurn; uniform vec2 uSpan; uniform float uReach;
out vec3 vNormal; out vec3 vColour; out vec3 vPhoto; out float vNear;
void main() {
  vec3 at = uTurn * aPoint;
  vNormal = uTurn * aNormal; vColour = aColour; vPhoto = aPhoto; vNear = 0.5 + 0.5 * at.z / ${DEPTH_RANGE.toFixed(1)};
  gl_Position = vec4(2.0 * at.xy / uSpan, -at.z / uReach, 1.0);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 vNormal; in vec3 vColour; in vec3 vPhoto; in float vNear;
uniform vec3 uLamp; uniform int uLook; uniform float uLine;
out vec4 colour;
${SHADING_GLSL}
void main() {
  vec3 n = normalize(vNormal) * (gl_FrontFacing || uLine > 0.0 ? 1.0 : -1.0);
  vec3 seen = lit(uLook, n, uLamp, vColour, vPhoto, clamp(vNear, 0.0, 1.0));
  if (!gl_FrontFacing && uLine == 0.0) seen *= 0.45; // the surface's back
  colour = uLine > 0.0 ? vec4(vec3(0.05, 0.25, 0.38) * uLine, uLine) : vec4(seen, 1.0);
}`;
const ATTRIBUTES = { aPoint: "points", aNormal: "normals", aColour: "colours", aPhoto: "screen" };

// Every edge of the triangles once, for a wireframe.
export function meshEdges(triangles) {
  const [seen, edges] = [new Set(), []];
  for (let t = 0; t < triangles.length; t += 3) {
    for (let k = 0; k < 3; k++) {
      const [a, b] = [triangles[t + k], triangles[t + ((k + 1) % 3)]];
      const key = Math.min(a, b) * 2 ** 26 + Math.max(a, b);
      if (!seen.has(key)) edges.push(a, b);
      seen.add(key);
    }
  }
  return Uint32Array.from(edges);
}

// null where the browser has no WebGL 2. `draw(scene)`: { mesh: { points, normals, colours, screen, triangles }, turn, span, reach, lamp, look, wire }.
export function makeSurfaceView(canvas) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: true, powerPreference: "high-performance" });
  if (!gl) return null;
  let [made, sent] = [null, null];

  function build() {
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const buffers = {};
    Object.values(ATTRIBUTES).forEach((name, place) => {
      buffers[name] = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
      gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
      gl.enableVertexAttribArray(place);
    });
    const program = compileProgram(gl, VERTEX, FRAGMENT, Object.keys(ATTRIBUTES));
    return { array, buffers, triangles: gl.createBuffer(), edges: gl.createBuffer(), program, places: uniformPlaces(gl, program) };
  }

  function send(mesh) {
    for (const name of Object.values(ATTRIBUTES)) {
      if (sent?.[name] === mesh[name]) continue;
      gl.bindBuffer(gl.ARRAY_BUFFER, made.buffers[name]);
      gl.bufferData(gl.ARRAY_BUFFER, mesh[name], gl.DYNAMIC_DRAW);
    }
    if (sent?.triangles !== mesh.triangles) {
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.triangles);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.triangles, gl.STATIC_DRAW);
      made.edgeCount = 0;
    }
    sent = { ...mesh };
  }

  function draw({ mesh, turn, span, reach, lamp, look, wire = false }) {
    if (gl.isContextLost()) return;
    made ??= build();
    gl.bindVertexArray(made.array);
    send(mesh);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.enable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(made.program);
    const { uTurn, uSpan, uReach, uLamp, uLook, uLine } = made.places;
    gl.uniformMatrix3fv(uTurn, true, turn);
    gl.uniform2f(uSpan, (span * canvas.width) / canvas.height, span);
    gl.uniform1f(uReach, reach);
    gl.uniform3fv(uLamp, lamp);
    gl.uniform1i(uLook, LOOKS.indexOf(look));
    gl.uniform1f(uLine, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.triangles);
    if (wire) {
      gl.enable(gl.POLYGON_OFFSET_FILL);
      gl.polygonOffset(1, 1);
    }
    gl.drawElements(gl.TRIANGLES, mesh.triangles.length, gl.UNSIGNED_INT, 0);
    gl.disable(gl.POLYGON_OFFSET_FILL);
    if (wire) drawEdges(mesh, uLine);
    gl.bindVertexArray(null);
  }

  function drawEdges(mesh, uLine) {
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.edges);
    if (!made.edgeCount) {
      const edges = meshEdges(mesh.triangles);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, edges, gl.STATIC_DRAW);
      made.edgeCount = edges.length;
    }
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthFunc(gl.LEQUAL);
    gl.uniform1f(uLine, 0.55);
    gl.drawElements(gl.LINES, made.edgeCount, gl.UNSIGNED_INT, 0);
  }

  const lost = (event) => { event.preventDefault(); [made, sent] = [null, null]; };
  canvas.addEventListener("webglcontextlost", lost);
  return {
    draw,
    // Frees the card's memory at once; a page with many notebooks has only so many contexts.
    dispose() {
      canvas.removeEventListener("webglcontextlost", lost);
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}
