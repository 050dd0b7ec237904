// Draws the head with WebGL 2: a shadow map, the backdrop, the head in one of its views, the light's ball.
import { HEAD_VERTEX, HEAD_FRAGMENT, SHADOW_VERTEX, SHADOW_FRAGMENT, PLANE_VERTEX, BACKDROP_FRAGMENT, BALL_FRAGMENT, LINE_VERTEX, LINE_FRAGMENT } from "./face_shaders.js";
import { STRAND_VERTEX, STRAND_FRAGMENT, STRAND_SHADOW_VERTEX } from "./face_strand_shaders.js";
import { makeHair } from "./face_hair.js";
import { rotationMatrix } from "./face_model.js";
import { compileProgram, uniformPlaces } from "./webgl_program.js";

export const VIEWS = ["shaded", "albedo", "normals", "depth", "pncc", "uv", "wireframe"];
export const BALL_SHARE = 0.2; // of the picture's side, in its lower left corner

const SHADOW_SIZE = 1024;
const SHADOW_REACH = 215; // mm: half of what the shadow map covers
const SHADOW_CENTRE = [0, -35, 10]; // mm, head frame
const ATTRIBUTES = ["aPosition", "aNormal", "aRest", "aUv", "aFirst", "aSecond", "aThird"];

function compiled(gl, vertex, fragment) {
  const program = compileProgram(gl, vertex, fragment, ATTRIBUTES);
  return { program, places: uniformPlaces(gl, program) };
}

// Sets the uniforms that a program has: arrays by length, numbers as floats.
function setUniforms(gl, { places }, values) {
  for (const [name, value] of Object.entries(values)) {
    const place = places[name];
    if (!place) continue;
    if (typeof value === "number") gl.uniform1f(place, value);
    else if (value.length === 9 && name !== "uAmbient") gl.uniformMatrix3fv(place, true, value);
    else if (name === "uAmbient" || name === "uEyeCentres") gl.uniform3fv(place, value);
    else gl[`uniform${value.length}fv`](place, value);
  }
}

// The rows of a frame that looks along the light: right, up, towards it (visage.faces.directions.axes).
function lightFrame([x, y, z]) {
  const helper = Math.abs(y) > 0.9 ? [1, 0, 0] : [0, 1, 0];
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  let right = cross(helper, [x, y, z]);
  const length = Math.hypot(...right);
  right = right.map((v) => v / length);
  return [...right, ...cross([x, y, z], right), x, y, z];
}

const applyMatrix = (m, [x, y, z]) => [0, 3, 6].map((r) => m[r] * x + m[r + 1] * y + m[r + 2] * z);

function edgesOf(triangles) {
  const seen = new Set();
  const edges = [];
  for (let t = 0; t < triangles.length; t += 3) {
    for (let k = 0; k < 3; k++) {
      const [a, b] = [triangles[t + k], triangles[t + ((k + 1) % 3)]];
      const key = Math.min(a, b) * 65536 + Math.max(a, b);
      if (seen.has(key)) continue;
      seen.add(key);
      edges.push(a, b);
    }
  }
  return new Uint16Array(edges);
}

// The textures as the browser decodes them: sampler name to picture.
export async function decodePictures(face) {
  const decode = (bytes) => createImageBitmap(new Blob([bytes], { type: "image/webp" }), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const names = { uDetail: "detail", uPores: "relief", uWrinkles: "wrinkles", uFreckles: "freckles" };
  return Object.fromEntries(await Promise.all(Object.entries(names).map(async ([sampler, name]) => [sampler, await decode(face[name])])));
}

// Throws where the browser has no WebGL 2.
export function makeView(canvas, face, pictures) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: false, powerPreference: "high-performance" });
  if (!gl) throw new Error("This browser does not offer WebGL 2.");
  const corners = face.corner_vertices.length;
  const moving = new Float32Array(6 * corners);
  const opaque = face.parts.lashes[0];
  let made = null;

  function build() {
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const buffers = { moving: gl.createBuffer(), still: gl.createBuffer(), triangles: gl.createBuffer(), edges: gl.createBuffer() };
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers.moving);
    gl.bufferData(gl.ARRAY_BUFFER, moving, gl.DYNAMIC_DRAW);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 24, 0);
    gl.vertexAttribPointer(1, 3, gl.FLOAT, false, 24, 12);
    const stride = 28;
    const still = new DataView(new ArrayBuffer(stride * corners));
    for (let i = 0; i < corners; i++) {
      const at = i * stride;
      for (let c = 0; c < 3; c++) still.setFloat32(at + 4 * c, face.mean[3 * face.corner_vertices[i] + c], true);
      for (let c = 0; c < 2; c++) still.setUint16(at + 12 + 2 * c, face.corner_uv[c * corners + i], true);
      for (let c = 0; c < 8; c++) still.setUint8(at + 16 + c, face.corner_regions[8 * i + c]);
      [face.corner_occlusion[i], face.corner_parts[i], face.lash_tips[i]].forEach((v, c) => still.setUint8(at + 24 + c, v));
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers.still);
    gl.bufferData(gl.ARRAY_BUFFER, still, gl.STATIC_DRAW);
    gl.vertexAttribPointer(2, 3, gl.FLOAT, false, stride, 0);
    gl.vertexAttribPointer(3, 2, gl.UNSIGNED_SHORT, true, stride, 12);
    gl.vertexAttribPointer(4, 4, gl.UNSIGNED_BYTE, true, stride, 16);
    gl.vertexAttribPointer(5, 4, gl.UNSIGNED_BYTE, true, stride, 20);
    gl.vertexAttribPointer(6, 3, gl.UNSIGNED_BYTE, true, stride, 24);
    ATTRIBUTES.forEach((_, place) => gl.enableVertexAttribArray(place));
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.triangles);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, face.triangles, gl.STATIC_DRAW);
    const edges = edgesOf(face.triangles.subarray(0, opaque));

    const tones = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, tones);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, 32, 32, 0, gl.RGBA, gl.UNSIGNED_BYTE, face.tones);
    filter(gl.LINEAR);
    const textures = { uTones: tones };
    for (const [name, picture] of Object.entries(pictures)) {
      const colour = name === "uDetail";
      textures[name] = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, textures[name]);
      gl.texImage2D(gl.TEXTURE_2D, 0, colour ? gl.SRGB8_ALPHA8 : gl.R8, colour ? gl.RGBA : gl.RED, gl.UNSIGNED_BYTE, picture);
      gl.generateMipmap(gl.TEXTURE_2D);
      filter(gl.LINEAR, gl.LINEAR_MIPMAP_LINEAR);
      const sharp = gl.getExtension("EXT_texture_filter_anisotropic");
      if (sharp) gl.texParameteri(gl.TEXTURE_2D, sharp.TEXTURE_MAX_ANISOTROPY_EXT, 4);
    }
    const shadow = gl.createTexture();
    textures.uShadow = shadow;
    gl.bindTexture(gl.TEXTURE_2D, shadow);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.DEPTH_COMPONENT24, SHADOW_SIZE, SHADOW_SIZE);
    filter(gl.NEAREST);
    const target = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, shadow, 0);
    gl.drawBuffers([gl.NONE]);
    gl.readBuffer(gl.NONE);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    const programs = {
      head: compiled(gl, HEAD_VERTEX, HEAD_FRAGMENT),
      shadow: compiled(gl, SHADOW_VERTEX, SHADOW_FRAGMENT),
      backdrop: compiled(gl, PLANE_VERTEX, BACKDROP_FRAGMENT),
      ball: compiled(gl, PLANE_VERTEX, BALL_FRAGMENT),
      line: compiled(gl, LINE_VERTEX, LINE_FRAGMENT),
      strand: compiled(gl, STRAND_VERTEX, STRAND_FRAGMENT),
      strandShadow: compiled(gl, STRAND_SHADOW_VERTEX, SHADOW_FRAGMENT),
    };
    return { array, buffers, edges, textures, target, programs, worn: {} };
  }

  function filter(kind, small = kind) {
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, small);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, kind);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  function upload(head) {
    for (let i = 0; i < corners; i++) {
      const v = 3 * face.corner_vertices[i];
      for (let c = 0; c < 3; c++) {
        moving[6 * i + c] = head.positions[v + c];
        moving[6 * i + 3 + c] = head.normals[v + c];
      }
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, made.buffers.moving);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, moving);
  }

  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (const v of face.skin) {
    for (let c = 0; c < 3; c++) {
      low[c] = Math.min(low[c], face.mean[3 * v + c]);
      high[c] = Math.max(high[c], face.mean[3 * v + c]);
    }
  }

  function uniforms({ head, pose, zoom, light, skin, hair, backdrop }) {
    const turn = rotationMatrix(pose);
    const frame = lightFrame(light.key_direction);
    const { lift, distance, focal } = face.view;
    const middle = applyMatrix(turn, SHADOW_CENTRE);
    const centre = applyMatrix(frame, [middle[0], middle[1] + lift, middle[2] - distance]);
    const eyes = face.eyes.vertices.flatMap((ball) => [0, 1, 2].map((c) => ball.reduce((s, v) => s + head.positions[3 * v + c], 0) / ball.length));
    return {
      uTurn: turn, uView: [distance, zoom * focal, lift, 0], uShift: [lift, distance], uLightTurn: frame, uShadowFrame: [...centre, SHADOW_REACH],
      uAmbient: light.ambient.flat(), uKeyDirection: light.key_direction, uKeyColour: light.key_colour, uKeyRadius: light.key_radius,
      uSkin: [skin.melanin, skin.haemoglobin, skin.freckles, skin.age], uIris: face.eyes.centre.flat(), uIrisRadii: [face.eyes.iris, face.eyes.pupil],
      uIrisColour: skin.iris, uHairColour: hair.colour, uStubble: [hair.crop, hair.beard, hair.worn ? 1 : 0],
      uRelief: [...face.painted.relief, ...face.painted.wrinkles], uPainted: face.painted.tone, uEyeCentres: eyes,
      uPnccLow: low, uPnccSize: high.map((v, c) => v - low[c]), uDistance: distance, uInner: backdrop[0], uOuter: backdrop[1],
    };
  }

  function use(name, values) {
    const program = made.programs[name];
    gl.useProgram(program.program);
    setUniforms(gl, program, values);
    return program;
  }

  // Draws a scene: { head, moved, pose, zoom, light, skin, hair, backdrop, view, ball }.
  function draw(scene) {
    if (gl.isContextLost()) return;
    if (!made) { made = build(); scene.moved = true; }
    gl.bindVertexArray(made.array);
    if (scene.moved) upload(scene.head);
    const values = { ...uniforms(scene), uPicture: canvas.width, uTexel: (2 * SHADOW_REACH) / SHADOW_SIZE };
    const hair = scene.view === "shaded" || scene.view === "albedo" ? wear(scene) : [];
    const mode = VIEWS.indexOf(scene.view);
    gl.enable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.buffers.triangles);
    if (scene.view === "shaded" || scene.view === "wireframe") castShadows(scene, hair, values);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.DEPTH_BUFFER_BIT);
    gl.depthMask(false);
    use("backdrop", values);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.depthMask(true);
    const { places } = use("head", values);
    gl.uniform1i(places.uMode, mode);
    Object.entries(made.textures).forEach(([name, texture], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.uniform1i(places[name], unit);
    });
    gl.drawElements(gl.TRIANGLES, opaque, gl.UNSIGNED_SHORT, 0);
    if (hair.length) drawHair(hair, values, scene);
    if (scene.view === "wireframe") drawEdges(values);
    if (scene.ball) drawBall(values);
    gl.bindVertexArray(null);
  }

  // Draws what the key light sees, unless that is what it saw last.
  function castShadows(scene, hair, values) {
    const key = JSON.stringify([values.uTurn, values.uLightTurn, scene.hair.styles]);
    if (!scene.moved && key === made.shadowKey) return;
    made.shadowKey = key;
    gl.bindFramebuffer(gl.FRAMEBUFFER, made.target);
    gl.viewport(0, 0, SHADOW_SIZE, SHADOW_SIZE);
    gl.clear(gl.DEPTH_BUFFER_BIT);
    use("shadow", values);
    gl.drawElements(gl.TRIANGLES, opaque, gl.UNSIGNED_SHORT, 0);
    hair.forEach((tuft) => tuft.casts && tuft.draw(use("strandShadow", values), scene.hair.colour, 0.4 * scene.share));
    gl.bindVertexArray(made.array);
  }

  // The styles that are worn, made on first use, where the skin has carried them.
  function wear(scene) {
    return scene.hair.styles.map((name) => {
      const fresh = !made.worn[name];
      made.worn[name] ??= makeHair(gl, face, name);
      if (fresh || scene.moved || made.worn[name].late) made.worn[name].follow(scene.head);
      Object.entries(made.worn).forEach(([other, tuft]) => { if (scene.moved && !scene.hair.styles.includes(other)) tuft.late = true; });
      made.worn[name].late = false;
      return made.worn[name];
    });
  }

  // Hair finer than a pixel covers some of the pixel's samples, so that no order of drawing is needed.
  function drawHair(hair, values, scene) {
    const program = use("strand", values);
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, made.textures.uShadow);
    gl.uniform1i(program.places.uShadow, 2);
    gl.uniform1i(program.places.uMode, VIEWS.indexOf(scene.view));
    hair.forEach((tuft) => tuft.draw(program, scene.hair.colour, scene.share));
    gl.bindVertexArray(made.array);
  }

  function drawEdges(values) {
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.buffers.edges);
    if (!made.edgesReady) gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, made.edges, gl.STATIC_DRAW);
    made.edgesReady = true;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const [distance, focal, lift] = values.uView;
    use("line", { ...values, uView: [distance, focal, lift, 1.5], uColour: [0.75, 0.92, 1.0, 0.5] });
    gl.drawElements(gl.LINES, made.edges.length, gl.UNSIGNED_SHORT, 0);
  }

  function drawBall(values) {
    const side = Math.round(BALL_SHARE * canvas.width);
    const margin = Math.round(0.03 * canvas.width);
    gl.disable(gl.DEPTH_TEST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.viewport(margin, margin, side, side);
    use("ball", values);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  const lost = (event) => { event.preventDefault(); made = null; };
  canvas.addEventListener("webglcontextlost", lost);
  return {
    draw,
    // Waits for the picture: how long a frame really takes can be measured then.
    finish() { gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); },
    // Frees the card's memory at once; a page with many notebooks has only so many contexts.
    dispose() {
      canvas.removeEventListener("webglcontextlost", lost);
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}
